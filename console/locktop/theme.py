"""Colours: one dark theme of our own, safe for colour-blind eyes, and the names that styles go by.

The hues of states are those of Okabe and Ito (2008); they differ in lightness as well, so that the order
survives in greys and under `NO_COLOR`. A *tone* is the name of a style of text, in terms of the theme's
variables.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from backuplock.rules import State
from locktop.config.schema import ACCENTS

DARK_HUES = {
    "held": "#56B4E9",
    "waiting": "#F0E442",
    "late": "#E69F00",
    "stale": "#F0703A",
    "bad": "#DD8FB8",
    "unsure": "#B9A7E0",
    "danger": "#FF4D6A",
    "mark-sky": "#56B4E9",
    "mark-green": "#2FBF92",
    "mark-yellow": "#F0E442",
    "mark-orange": "#E69F00",
    "mark-purple": "#DD8FB8",
    "mark-grey": "#A7B2BF",
}
LIGHT_HUES = {
    "held": "#00649C",
    "waiting": "#6B5D00",
    "late": "#8A5000",
    "stale": "#A82F00",
    "bad": "#8C3670",
    "unsure": "#5546A6",
    "danger": "#B3122F",
    "mark-sky": "#00649C",
    "mark-green": "#00664A",
    "mark-yellow": "#6B5D00",
    "mark-orange": "#8A5000",
    "mark-purple": "#8C3670",
    "mark-grey": "#55606C",
}
"""The same hues, dark enough to be read on a light ground."""

DARK = Theme(
    name="locktop",
    primary="#56B4E9",
    secondary="#7FA8C9",
    accent="#56B4E9",
    warning="#E69F00",
    error="#D55E00",
    success="#009E73",
    foreground="#D3DAE3",
    background="#0E1217",
    surface="#141A21",
    panel="#1B232D",
    dark=True,
    variables={
        "ink-dim": "#8593A3",
        "ink-faint": "#3E4A58",
        "ink-strong": "#FFFFFF",
        "cursor-row": "#21394F",
        **DARK_HUES,
        "alert-row": "#3A2417",
        "footer-key-foreground": "#56B4E9",
        "input-cursor-background": "#56B4E9",
        "scrollbar": "#2B3744",
        "scrollbar-hover": "#3E4A58",
        "scrollbar-active": "#56B4E9",
        "scrollbar-background": "#11161C",
        "scrollbar-background-hover": "#11161C",
        "scrollbar-background-active": "#11161C",
        "scrollbar-corner-color": "#11161C",
    },
)


def inks(theme: Theme) -> dict[str, str]:
    """What our styles need beside Textual's own variables, for a theme that does not know of them."""
    ground = _colour(theme.background, "#121212" if theme.dark else "#EFEFEF")
    text = _colour(theme.foreground, "#E0E0E0" if theme.dark else "#1E1E1E")
    primary, error = _colour(theme.primary, "#0178D4"), _colour(theme.error, "#B3122F")
    return {
        **(DARK_HUES if theme.dark else LIGHT_HUES),
        "ink-dim": text.blend(ground, 0.3).hex,
        "ink-faint": text.blend(ground, 0.7).hex,
        "ink-strong": "#FFFFFF" if theme.dark else "#000000",
        "cursor-row": ground.blend(primary, 0.3 if theme.dark else 0.15).hex,
        "alert-row": ground.blend(error, 0.2 if theme.dark else 0.1).hex,
    }


def _colour(given: str | None, instead: str) -> Color:
    found = Color.parse(given or instead)
    # Colours that the terminal decides on cannot be mixed.
    return found if found.ansi is None else Color.parse(instead)


_PLAIN = {
    "text": "foreground",
    "dim": "ink-dim",
    "faint": "ink-faint",
    "good": "success",
    "held": "held",
    "waiting": "waiting",
    "late": "late",
    "bad": "bad",
    "unsure": "unsure",
}
_BOLD = {
    "strong": "ink-strong",
    "title": "primary",
    "key": "primary",
    "brand": "primary",
    "alert": "stale",
    "stale": "stale",
    "danger": "danger",
    **{f"accent-{accent}": f"mark-{accent}" for accent in ACCENTS},
}
TONES = (*_PLAIN, *_BOLD)
"""Every tone there is."""
CURSOR = "cursor"
"""Beside the tones: the ground of the line under the cursor."""


def styles(variables: Mapping[str, str]) -> dict[str, Style]:
    """What each tone looks like, and the cursor.

    Component classes would say the same in the stylesheet, but Textual keeps them per widget: 23 nodes to be
    styled for each widget that paints lines, anew with each change of a class, were half of what a key cost.

    Args:
        variables: a theme's, by name; values are CSS colours.
    """

    def colour(name: str) -> RichColor:
        return Color.parse(variables[name]).rich_color

    return {
        **{tone: Style(color=colour(name)) for tone, name in _PLAIN.items()},
        **{tone: Style(color=colour(name), bold=True) for tone, name in _BOLD.items()},
        CURSOR: Style(bgcolor=colour("cursor-row")),
    }


STATE_TONES: dict[State, str] = {state: state.value for state in State}
"""The tone of each state has the state's own name."""

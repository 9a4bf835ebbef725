"""Colours: one dark theme of our own, safe for colour-blind eyes, and the names that styles go by.

The hues of states are those of Okabe and Ito (2008); they differ in lightness as well, so that the order
survives in greys and under `NO_COLOR`. A *tone* is the name of a style; what it looks like stands in
`styles/locktop.tcss`, in terms of the theme's variables.
"""

from __future__ import annotations

from textual.theme import Theme

from backuplock.rules import State

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
        "held": "#56B4E9",
        "waiting": "#F0E442",
        "late": "#E69F00",
        "stale": "#F0703A",
        "bad": "#DD8FB8",
        "unsure": "#B9A7E0",
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

TONES = (
    "text",
    "dim",
    "faint",
    "strong",
    "title",
    "key",
    "brand",
    "good",
    "alert",
    "held",
    "waiting",
    "late",
    "stale",
    "bad",
    "unsure",
)
"""Every tone there is; each is a component class `tone--<name>` of the widgets that paint lines."""

STATE_TONES: dict[State, str] = {state: state.value for state in State}
"""The tone of each state has the state's own name."""

"""The one table of keys: bindings, footer and help are made from it, so that they cannot disagree.

A key never destroys in one place and navigates in another; dangerous actions are marked here, and in a
read-only session they are not there at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

from locktop.key_ids import AT_ONCE, PRIORITY_KEYS, can_change, id_of

Place = Literal[
    "app",
    "locks",
    "details",
    "blocked",
    "simulate",
    "events",
    "explain",
    "columns",
    "contexts",
    "break",
    "undo",
    "confirm",
    "menu",
    "help",
]

VIEWS: dict[str, str] = {"locks": "Locks", "blocked": "Blocked", "simulate": "Simulate", "events": "Events"}
"""The views behind the keys 1 to 4, and what they are called."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing a person can do.

    Attributes:
        action: Textual's name of it, `move(1)`.
        keys: Textual's names of the keys, separated by commas.
        shown: the keys as people write them.
        words: what it does, for the help.
        group: heading in the help; those without one are not listed a second time.
        place: where it works; `app` is everywhere.
        footer: one or two words for the footer; empty keys are not shown there.
        rank: which go first where the footer lacks room, 0 stays longest.
        dangerous: it can destroy something; never bound in a read-only session.
        needs: what must be given for it to work, one of `REASONS`; else pressing it says why it does not.
    """

    action: str
    keys: str
    shown: str
    words: str
    group: str
    place: Place
    footer: str = ""
    rank: int = 9
    dangerous: bool = False
    needs: str = ""


REASONS: dict[str, str] = {
    "write": "this session is read-only; locktop --write TARGET opens it",
    "store": "this is a recording: no store is asked",
    "contexts": "a recording has no contexts",
    "files": "this console is served: a file would lie on the server",
    "recording": "only a recording can be wound",
}
"""Why a key is off while what it needs is not given."""


def _list_keys(place: Place) -> tuple[Key, ...]:
    """Moving in a list of one line a thing."""
    return (
        Key("move(1)", "j,down", "j k", "down, up (arrows too)", "MOVE", place),
        Key("move(-1)", "k,up", "k", "", "", place),
        Key("move_page(0.5)", "ctrl+d", "^d ^u", "half a page", "MOVE", place),
        Key("move_page(-0.5)", "ctrl+u", "^u", "", "", place),
        Key("move_page(1)", "pagedown,ctrl+f", "pgdn pgup", "a page", "MOVE", place),
        Key("move_page(-1)", "pageup,ctrl+b", "pgup", "", "", place),
        Key("move_to('first')", "g,home", "g G", "first, last (home, end)", "MOVE", place),
        Key("move_to('last')", "G,end", "G", "", "", place),
    )


KEYS: tuple[Key, ...] = (
    # Locks
    *_list_keys("locks"),
    Key("skip_columns(1)", "l,right", "h l", "columns left, right", "MOVE", "locks"),
    Key("skip_columns(-1)", "h,left", "h", "", "", "locks"),
    Key("filter", "slash", "/", "filter as you type", "FIND", "locks", "filter", 1),
    Key("next_match(1)", "n", "n N", "next, previous match", "FIND", "locks"),
    Key("next_match(-1)", "N", "N", "", "", "locks"),
    Key("back", "escape", "esc", "clear filter, to the top", "FIND", "locks"),
    Key("sort", "s", "s S", "next order, reverse", "FIND", "locks", "sort", 3),
    Key("reverse", "S", "S", "", "", "locks"),
    Key("follow", "f", "f", "follow this lock", "FIND", "locks"),
    Key("names", "v", "v", "volume ids or claims first", "VIEW", "locks", "names", 6),
    Key("details", "enter", "enter", "all about this lock", "VIEW", "locks", "details", 2),
    Key("columns", "c", "c", "choose columns", "VIEW", "locks", "columns", 8),
    Key("wide", "w", "w", "all columns, wide", "VIEW", "locks"),
    Key("zoom", "z", "z", "more details, or more rows", "VIEW", "locks"),
    Key("mark", "space", "space U", "mark, unmark all", "ACT", "locks", "mark", 6),
    Key("unmark", "U", "U", "", "", "locks"),
    Key("simulate", "a", "a", "simulate an operation", "ACT", "locks", "simulate", 4),
    Key("app.break_locks", "x", "x", "break it, or those marked", "ACT", "locks", "break", 3, True, "write"),
    Key("copy_key", "y", "y Y", "copy the lock's key, menu", "ACT", "locks", "copy key", 5),
    # Everywhere
    *(
        Key(
            f"show_view('{view}')",
            str(at),
            f"1-{len(VIEWS)}" if at == 1 else str(at),
            "views, from locks to events" if at == 1 else f"the view {title}",
            "PROGRAM" if at == 1 else "",
            "app",
            "views" if at == 1 else "",
            2,
        )
        for at, (view, title) in enumerate(VIEWS.items(), start=1)
    ),
    Key("command_palette", "colon,ctrl+p", ": ^p", "all commands", "PROGRAM", "app", "commands", 5),
    Key("explain", "m", "m", "explain an error message", "FIND", "app", "explain", 3),
    Key("pause", "p", "p", "hold the picture, go on", "LIVE", "app", "pause", 4),
    Key("refresh_now", "r", "r", "look now", "LIVE", "app", "refresh", 7, needs="store"),
    Key("rate(1)", "plus,equals_sign", "+ -", "look more, less often", "LIVE", "app"),
    Key("rate(-1)", "minus", "-", "", "", "app"),
    Key(
        "wind(10)",
        "right,full_stop",
        ". ,",
        "10 s forward, back",
        "REPLAY",
        "app",
        "wind",
        3,
        needs="recording",
    ),
    Key("wind(-10)", "left,comma", ",", "", "", "app", needs="recording"),
    Key("wind(300)", "greater_than_sign", "> <", "5 min forward, back", "REPLAY", "app", needs="recording"),
    Key("wind(-300)", "less_than_sign", "<", "", "", "app", needs="recording"),
    Key(
        "jump(1)",
        "right_square_bracket",
        "] [",
        "next, previous event",
        "REPLAY",
        "app",
        "event",
        3,
        needs="recording",
    ),
    Key("jump(-1)", "left_square_bracket", "[", "", "", "app", needs="recording"),
    Key("undo_view", "u", "u", "broken locks, put one back", "PROGRAM", "app", needs="store"),
    Key("contexts", "C", "C T E", "context, theme, export", "PROGRAM", "app", needs="contexts"),
    Key("themes", "T", "T", "choose a theme", "", "app"),
    Key("copy_menu", "Y", "Y", "copy something: a menu", "", "app"),
    Key("export", "E", "E", "export what the view shows", "", "app", needs="files"),
    Key("help", "question_mark,f1", "?", "this help", "PROGRAM", "app", "help", 0),
    Key("quit", "q,ctrl+q", "q", "quit", "PROGRAM", "app", "quit", 0),
    Key("quit", "ctrl+c", "^c", "", "", "app"),
    Key("suspend_process", "ctrl+z", "^z ^l", "suspend, draw anew", "PROGRAM", "app"),
    Key("redraw", "ctrl+l", "^l", "", "", "app"),
    # Details of a volume
    Key("select(1)", "j,down", "j k", "next, previous lock", "MOVE", "details", "lock", 3),
    Key("select(-1)", "k,up", "k", "", "", "details"),
    Key("scroll_page(0.5)", "ctrl+d", "^d ^u", "scroll half a page", "MOVE", "details", "scroll", 4),
    Key("scroll_page(-0.5)", "ctrl+u", "^u", "", "", "details"),
    Key("scroll_page(1)", "pagedown,ctrl+f,space", "pgdn pgup", "scroll a page", "MOVE", "details"),
    Key("scroll_page(-1)", "pageup,ctrl+b", "pgup", "", "", "details"),
    Key("scroll_to('first')", "g,home", "g G", "to the top, the end", "MOVE", "details"),
    Key("scroll_to('last')", "G,end", "G", "", "", "details"),
    Key("simulate", "a", "a", "simulate an operation", "VIEW", "details", "simulate", 2),
    Key("copy_key", "y", "y Y", "copy the lock's key, menu", "VIEW", "details", "copy key", 5),
    Key("app.break_locks", "x", "x", "break this lock", "VIEW", "details", "break", 3, True, "write"),
    Key("wrap", "w", "w", "the lock's body in full", "VIEW", "details", "wrap", 7),
    Key("back", "escape,backspace", "esc", "back", "VIEW", "details", "back", 1),
    # Blocked
    *_list_keys("blocked"),
    Key("filter", "slash", "/", "filter by the locks involved", "FIND", "blocked", "filter", 1),
    Key("only", "o", "o", "only where somebody waits", "FIND", "blocked", "only waited for", 2),
    Key("back", "escape", "esc", "clear filter, to the top", "FIND", "blocked"),
    Key("sort", "s", "s S", "next order, reverse", "FIND", "blocked", "sort", 4),
    Key("reverse", "S", "S", "", "", "blocked"),
    Key("names", "v", "v", "volume ids or claims first", "VIEW", "blocked", "names", 6),
    Key("open", "enter", "enter", "all about this volume", "VIEW", "blocked", "volume", 2),
    Key("simulate", "a", "a", "what if one acquired", "VIEW", "blocked", "simulate", 4),
    Key("copy", "y", "y Y", "copy its id, menu", "VIEW", "blocked", "copy", 6),
    # Simulate
    Key("move(1)", "j,down", "j k", "scroll, next row", "MOVE", "simulate"),
    Key("move(-1)", "k,up", "k", "", "", "simulate"),
    Key("scroll_page(0.5)", "ctrl+d,pagedown", "^d ^u", "scroll half a page", "MOVE", "simulate"),
    Key("scroll_page(-0.5)", "ctrl+u,pageup", "^u", "", "", "simulate"),
    Key("move_to('first')", "g,home", "g G", "to the top, the end", "MOVE", "simulate"),
    Key("move_to('last')", "G,end", "G", "", "", "simulate"),
    Key("field(1)", "tab", "tab", "next, previous field", "FORM", "simulate", "field", 1),
    Key("field(-1)", "shift+tab", "shift+tab", "", "", "simulate"),
    Key("choose(1)", "l,right,space", "space h l", "another choice", "FORM", "simulate", "choose", 4),
    Key("choose(-1)", "h,left", "h", "", "", "simulate"),
    Key("take", "enter", "enter", "take it, go on", "FORM", "simulate"),
    Key("batch", "b", "b", "over many volumes, or one", "VIEW", "simulate", "batch", 2),
    Key("copy_command", "y", "y", "copy the command line", "VIEW", "simulate", "copy command", 3),
    Key("back", "escape", "esc", "leave the field, the view", "VIEW", "simulate", "back", 1),
    # Events
    *_list_keys("events"),
    Key("filter", "slash", "/", "filter as you type", "FIND", "events", "filter", 1),
    Key("back", "escape", "esc", "clear filter, follow", "FIND", "events"),
    Key("renewals", "R", "R", "show renewals, hide them", "FIND", "events", "renewals", 4),
    Key("names", "v", "v", "volume ids or claims first", "VIEW", "events", "names", 6),
    Key("open", "enter", "enter", "all about this volume", "VIEW", "events", "volume", 2),
    Key("copy", "y", "y Y", "copy this line, menu", "VIEW", "events", "copy", 6),
    # Explain
    Key("select(1)", "j,down", "j k", "next, previous complaint", "MOVE", "explain", "move", 4),
    Key("select(-1)", "k,up", "k", "", "", "explain"),
    Key("scroll_page(0.5)", "ctrl+d", "^d ^u", "scroll half a page", "MOVE", "explain"),
    Key("scroll_page(-0.5)", "ctrl+u", "^u", "", "", "explain"),
    Key("scroll_page(1)", "pagedown,ctrl+f,space", "pgdn pgup", "scroll a page", "MOVE", "explain"),
    Key("scroll_page(-1)", "pageup,ctrl+b", "pgup", "", "", "explain"),
    Key("scroll_to('first')", "g,home", "g G", "to the top, the end", "MOVE", "explain"),
    Key("scroll_to('last')", "G,end", "G", "", "", "explain"),
    Key("open", "enter,o", "enter", "the volume in detail", "VIEW", "explain", "volume", 2),
    Key("simulate", "a", "a", "simulate an operation", "VIEW", "explain", "simulate", 6),
    Key("copy_report", "y", "y", "copy the report", "VIEW", "explain", "copy", 5),
    Key("back", "escape", "esc", "back", "VIEW", "explain", "back", 1),
    # Columns
    Key("move(1)", "j,down", "j k", "down, up", "", "columns"),
    Key("move(-1)", "k,up", "k", "", "", "columns"),
    Key("toggle_column", "space", "space", "show, hide", "", "columns", "show, hide", 1),
    Key("usual", "d", "d", "the usual ones", "", "columns", "the usual ones", 2),
    Key("back", "escape,enter,c", "esc", "close", "", "columns", "close", 0),
    # Contexts
    Key("move(1)", "j,down", "j k", "down, up", "", "contexts"),
    Key("move(-1)", "k,up", "k", "", "", "contexts"),
    Key("choose", "enter", "enter", "work there, or in all marked", "", "contexts", "work there", 1),
    Key("mark", "space", "space", "mark: several side by side", "", "contexts", "mark", 2),
    Key("back", "escape,C", "esc", "close", "", "contexts", "close", 0),
    # Breaking
    Key("field(1)", "tab", "tab", "next, previous field", "", "break", "next", 1),
    Key("field(-1)", "shift+tab", "shift+tab", "", "", "break"),
    Key("scroll(1)", "down", "down up", "scroll", "", "break"),
    Key("scroll(-1)", "up", "up", "", "", "break"),
    Key("scroll_page(0.5)", "pagedown", "pgdn pgup", "scroll half a page", "", "break", "scroll", 3),
    Key("scroll_page(-0.5)", "pageup", "pgup", "", "", "break"),
    Key("copy_command", "y", "y", "copy the command line", "", "break", "copy command", 2),
    Key("back", "escape", "esc", "cancel", "", "break", "cancel", 0),
    # What was broken
    *_list_keys("undo"),
    Key("restore", "enter", "enter", "put this lock back", "ACT", "undo", "put back", 1, needs="write"),
    Key("finish", "f", "f", "end what was interrupted", "ACT", "undo", "finish", 3, needs="write"),
    Key("open", "o", "o", "all about its volume", "VIEW", "undo", "volume", 4),
    Key("copy", "y", "y", "copy the command line", "VIEW", "undo", "copy command", 5),
    Key("back", "escape,u", "esc", "back", "VIEW", "undo", "back", 0),
    # Asking once more
    Key("field(1)", "tab,right,l", "tab", "the other button", "", "confirm", "next", 1),
    Key("field(-1)", "shift+tab,left,h", "shift+tab", "", "", "confirm"),
    Key("scroll(1)", "j,down", "down up", "scroll", "", "confirm"),
    Key("scroll(-1)", "k,up", "up", "", "", "confirm"),
    Key("back", "escape", "esc", "cancel", "", "confirm", "cancel", 0),
    # Menus
    Key("move(1)", "j,down", "j k", "down, up", "", "menu"),
    Key("move(-1)", "k,up", "k", "", "", "menu"),
    Key("choose", "enter", "enter", "take it", "", "menu", "take it", 1),
    Key("back", "escape", "esc", "close", "", "menu", "close", 0),
    # Help
    Key("back", "escape,question_mark,f1,enter", "esc", "close", "", "help", "close", 0),
    Key("app.quit", "q", "q", "", "", "help"),
    Key("scroll(1)", "j,down", "j", "", "", "help"),
    Key("scroll(-1)", "k,up", "k", "", "", "help"),
)


def bindings(place: Place, *, read_only: bool = True) -> list[BindingType]:
    """Textual's bindings of one place."""
    return [
        Binding(
            single,
            key.action,
            key.words,
            show=False,
            priority=single in PRIORITY_KEYS | AT_ONCE,
            id=id_of(place, key.action) if can_change(place, single) else None,
        )
        for key in KEYS
        if key.place == place and not (key.dangerous and read_only)
        for single in key.keys.split(",")
    ]


def footer_keys(place: Place) -> list[Key]:
    """What the footer of a place shows, in the order of the table, its own keys first."""
    own = [key for key in KEYS if key.place == place and key.footer]
    return own + [key for key in KEYS if key.place == "app" and key.footer]


def key_of(action: str, place: Place) -> Key | None:
    """The key behind an action in a place; keys that share one differ in nothing but themselves."""
    found = [key for key in KEYS if key.action == action and key.place in (place, "app")]
    return found[0] if found else None


def commands(place: Place) -> list[Key]:
    """Everything that can be done in a place, in the order of the table, each thing once."""
    found = [key for key in KEYS if key.place in (place, "app") and key.words]
    return list({key.action: key for key in reversed(found)}.values())[::-1]


def help_groups(place: Place, *, replay: bool = False) -> dict[str, list[Key]]:
    """What the help of a place lists, by group, in the order of the table."""
    groups: dict[str, list[Key]] = {}
    for key in KEYS:
        fits = key.needs != "contexts" if replay else key.needs != "recording"
        if key.group and key.place in (place, "app") and fits:
            groups.setdefault(key.group, []).append(key)
    return groups


def dangerous_keys() -> list[Key]:
    """What can destroy something. Only the app binds these, and in a read-only session to no more than the
    reason why they are off."""
    return list({key.keys: key for key in KEYS if key.dangerous}.values())

"""Ids of broken locks as people type them: as much of one as no other begins with."""

from __future__ import annotations

from collections.abc import Iterable

from backuplock.errors import Malformed
from locktop.settings import Usage, shown

LEAST = 4
"""Characters that have to be given."""
MOST_NAMED = 5
"""Ids that are named where several fit."""
_EXAMPLE = "20260102T030411Z-0123456789ab"


def check_start(word: str) -> None:
    """Refuse what no id begins with.

    Raises:
        Usage: saying so.
    """
    from backuplock.breaking.quarantine import check_id

    try:
        check_id(word + _EXAMPLE[len(word) :])
    except Malformed:
        raise Usage(
            f"{shown(word)!r} is not the id of a broken lock", advice="locktop undo lists them"
        ) from None
    if len(word) < LEAST:
        raise Usage(f"{word!r} is too little of an id", advice=f"give {LEAST} characters or more of it")


def whole_id(word: str, ids: Iterable[str], what: str, *, lists: str = "undo") -> str:
    """The one of `ids` that begins with `word`. One that is given in full stands for itself.

    Args:
        what: that has these ids, as "copy in the quarantine".
        lists: the command that lists them.

    Raises:
        Refused: there is none.
        Usage: several do; names some of them.
    """
    if len(word) == len(_EXAMPLE):
        return word
    found = sorted({one for one in ids if one.startswith(word)})
    if len(found) == 1:
        return found[0]
    if not found:
        from backuplock.breaking import Because, Refused

        said = f"no {what} has an id that begins with {word}"
        raise Refused(said, because=Because.GONE, advice=f"locktop {lists} lists what there is")
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    advice = f"say more of it: {', '.join(found[:MOST_NAMED])}{more}"
    raise Usage(f"{word!r} begins {len(found)} ids", advice=advice)

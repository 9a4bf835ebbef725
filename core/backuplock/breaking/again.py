"""One more question before a lock goes that nobody looks at alone: is it still surely dead, and does nobody
work in its volume?"""

from __future__ import annotations

from backuplock.breaking.errors import Because, Refused
from backuplock.breaking.plan import make_plan
from backuplock.breaking.token import Token
from backuplock.breaking.writer import Writer
from backuplock.evidence import surroundings, with_blocks
from backuplock.survey import look
from backuplock.text import printable


def check_dead(writer: Writer, token: Token) -> None:
    """Look at its volume, and beside its locks; one that went, or is another by now, is left to whoever reads
    it next.

    Raises:
        Refused: its holder may be alive.
        StoreError: the volume could not be looked at.
    """
    seen = look(writer.store, token.volume, clock=writer.clock)
    lock = seen.by_key.get(token.key)
    if lock is None or lock.modified_ns != token.modified_ns:
        return
    around = with_blocks(writer.store, token.volume, surroundings(writer.store, token.volume))
    plan = make_plan(writer.store, seen, token.key, around=around, timing=writer.timing)
    if plan.dead:
        return
    why = "; ".join((*plan.elsewhere, *plan.life.reasons))
    raise Refused(
        f"{token.shown} is not broken, its holder may be alive: {printable(why, limit=300)}",
        because=Because.ALIVE,
        advice="look at it alone",
    )

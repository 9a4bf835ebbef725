"""Is the lock still what was seen? Asked at the beginning, and again right before it goes."""

from __future__ import annotations

from backuplock.breaking.errors import Because, Refused
from backuplock.breaking.token import Token, difference
from backuplock.breaking.writer import Writer
from backuplock.errors import Irregular, TooLarge
from backuplock.stores.base import Blob


def current(writer: Writer, token: Token) -> Blob:
    """The lock as it is now, if that is what the token means.

    Raises:
        Refused: it is not, or is not there.
        StoreError: it could not be read.
    """
    try:
        blob = writer.store.read(token.key)
    except (Irregular, TooLarge) as error:
        raise Refused(f"{token.shown} is not broken, {error.what}", because=Because.UNFIT) from error
    if blob is None:
        raise Refused(
            f"{token.shown} is not broken, it is not there any more",
            because=Because.GONE,
            advice="its holder gave it back, or somebody else removed it",
        )
    if differs := difference(token, blob):
        raise Refused(f"{token.shown} is not broken, {differs}", because=Because.CHANGED, advice="look again")
    return blob

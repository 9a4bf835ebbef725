"""How it stands with the locks that were broken here, in a line; and the alarm if one came back.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backuplock.breaking import Fate, Vigil
from locktop.deeds import Care, Deeds
from locktop.format import Glyphs, Line, Part, countdown, name, number, plural

TONES = {
    Fate.WATCHING: "late",
    Fate.GONE: "good",
    Fate.CAME_BACK: "alert",
    Fate.PUT_BACK: "good",
    Fate.REPLACED: "text",
    Fate.UNSEEN: "unsure",
}
"""The tone in which each fate is told."""


def came_back(cares: Sequence[Care]) -> list[Care]:
    """Those whose holders live."""
    return [care for care in cares if care.vigil.fate is Fate.CAME_BACK]


def alarm(deeds: Deeds, glyphs: Glyphs) -> Line:
    """A lock came back; empty while none did."""
    found = came_back(deeds.cares)
    if not found:
        return []
    token = found[-1].vigil.token
    more = f" and {plural(len(found) - 1, 'other')}" if len(found) > 1 else ""
    return [
        (f" {glyphs.warn} ", "alert"),
        (f"{name(token.name.removesuffix('.lck'))}{more} CAME BACK", "alert"),
        (": its holder is alive. Stop the process, not the file; or take a hold", "text"),
        (f"  on {name(token.volume)}", "dim"),
    ]


def reminder(deeds: Deeds, glyphs: Glyphs) -> Line:
    """Transactions that did not end; empty while there are none."""
    found = deeds.interrupted
    if not found:
        return []
    what = plural(len(found), "break")
    was = "was" if len(found) == 1 else "were"
    return [
        (f" {glyphs.warn} ", "alert"),
        (f"{what} {was} interrupted", "alert"),
        (": u shows what became of it, and ends it", "text"),
    ]


def watch_line(cares: Sequence[Care], mono_ns: int, glyphs: Glyphs) -> Line:
    """The watch over what was broken: a countdown, then the verdict; empty while nothing is watched."""
    shown = [care for care in cares if care.vigil.fate is not Fate.CAME_BACK]
    if not shown:
        return []
    mark: Part = (" x ", "stale")
    if len(shown) == 1:
        vigil = shown[0].vigil
        stem: Part = (name(vigil.token.name.removesuffix(".lck")), "strong")
        where: Part = (f"   {name(vigil.token.volume)}", "dim")
        if vigil.decided:
            return [mark, stem, (" broken: ", "text"), (fate_words(vigil), TONES[vigil.fate]), where]
        left: Part = (countdown(vigil.left_ns(mono_ns)), "late")
        return [mark, stem, (" broken: gone so far, watched for ", "text"), left, (" more", "text"), where]
    fates = Counter(care.vigil.fate for care in shown)
    parts: Line = [mark, (f"{number(len(shown))} broken locks: ", "strong")]
    for fate, count in fates.items():
        words = "gone so far" if fate is Fate.WATCHING else fate.value
        parts += [(f"{number(count)} {words}", TONES[fate]), ("   ", "text")]
    left_ns = max(care.vigil.left_ns(mono_ns) for care in shown)
    if left_ns:
        parts += [("watched for ", "dim"), (countdown(left_ns), "late"), (" more", "dim")]
    return parts


def fate_words(vigil: Vigil) -> str:
    """What became of it, in a few words."""
    if vigil.fate is Fate.PUT_BACK:
        return f"put back by {vigil.who or 'somebody else'}"
    return vigil.fate.value


def departed(cares: Sequence[Care], key: str, mono_ns: int) -> str:
    """What is said of a lock that was broken here, where it stood; "" if it was not."""
    vigil = next((care.vigil for care in reversed(cares) if care.vigil.token.key == key), None)
    if vigil is None:
        return ""
    if vigil.decided:
        return f"broken from here; {fate_words(vigil)}"
    return f"broken from here, gone so far; watched for {countdown(vigil.left_ns(mono_ns))} more"

"""A pasted error of Longhorn -> which volume, which operation, and whose lock file it speaks of.

The path in these messages is the *loser's own, already deleted* file, never the blocker's. The wording
changed with 1.6.3, 1.7.2 and 1.8.0 and may change again, and it arrives wrapped, often twice, in other
messages; so what is looked for is little: a path with `/volumes/xx/yy/<volume>/locks/<name>.lck`, and near
it words that tell an operation. Sources: Longhorn backupstore `lock.go`, longhorn-manager, longhorn-engine.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from backuplock import layout
from backuplock.model import Operation
from backuplock.text import printable

MAX_TEXT = 1 << 20
"""Characters of a pasted text that are looked at."""

MAX_COMPLAINTS = 100
"""Locks that are told of one text."""


class ComplaintKind(enum.StrEnum):
    """What a message says went wrong."""

    REFUSED = "refused"
    """A lock was not granted: somebody else's comes first."""
    REFRESH = "refresh failed"
    """A holder could not renew its lock; it works on all the same."""
    LOAD = "load failed"
    """A client could not read somebody's lock, and ignored it."""
    UNLOCK = "unlock failed"
    """A holder could not remove its file: it stays until it expires."""
    STORE = "store failed"
    """A client could not write its lock."""
    MENTIONED = "mentioned"
    """A volume is named, but nothing that is known to be about locks is said."""


class Wording(enum.StrEnum):
    """Which releases word a refusal so; it tells what their manager makes of it."""

    FIRST = "up to 1.6.2, 1.7.0, 1.7.1"
    SECOND = "1.6.3 and later 1.6, 1.7.2 and later 1.7, 1.8.0 to 1.10.1"
    THIRD = "1.10.2 and later"
    OTHER = "unknown"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing a pasted text says about one lock.

    Attributes:
        wording: whose words a refusal is in; `OTHER` for all else.
        volume: the volume's name; one that could not be a volume's is never reported.
        operations: what was being done; several where the words leave it open, empty if they say nothing.
        lock: the name in the path, without `.lck`: the loser's own; empty if no path was given.
        excerpt: the words that were understood, printable, one line.
    """

    kind: ComplaintKind
    volume: str
    operations: frozenset[Operation]
    lock: str
    excerpt: str
    wording: Wording = Wording.OTHER


_PATH = re.compile(
    r"\bvolumes/(?P<one>[0-9a-f]{2})/(?P<two>[0-9a-f]{2})/(?P<volume>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252})"
    r"/locks/(?P<lock>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,250}?)\.lck"
)
_BROKEN_PATH = re.compile(r"(\bvolumes/[0-9a-zA-Z_./-]{0,400})\n[ \t]*(?=[0-9a-zA-Z_./-]{0,300}\.lck)")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours and the like, as a terminal gets them."""
_BOX_LEFT = re.compile(r"(?m)^[ \t]*[│┃║|][ \t]?")
_BOX_RIGHT = re.compile(r"(?m)(?<![ \t])[ \t]*[│┃║|][ \t]*$")
"""Begins at a run of blanks only, not at each of its blanks: a run costs its length, not its square."""
_BEGINS = re.compile(
    r"\s*(?:time=|level=|\{|\[|<\d+>|\d{4}[-/]\d\d[-/]\d\d|[IWEF]\d{4} \d\d:|[A-Z][a-z]{2} +\d+ \d\d:)"
)
"""How a log record begins; what does not begin so goes on with the one before."""
_MAY_BEGIN = re.compile(r"(?i)\s*(?:fail\w{0,10}\s+(?:lock|to)\b|error|unable|cannot|proxyserver|rpc error)")
"""How a message begins that was pasted alone; behind one that has named its lock it is another."""
_URL_VOLUME = re.compile(r"(?:[?&]|u0026)volume=(?P<volume>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252})")

_KINDS: tuple[tuple[ComplaintKind, re.Pattern[str]], ...] = (
    (ComplaintKind.REFRESH, re.compile(r"(?i)fail\w{0,10}\s+to\s+refresh\s+(?:the\s+)?(?:acquired\s+)?lock")),
    (ComplaintKind.LOAD, re.compile(r"(?i)fail\w{0,10}\s+to\s+load\s+(?:the\s+)?lock")),
    (ComplaintKind.UNLOCK, re.compile(r"(?i)fail\w{0,10}\s+to\s+unlock")),
    (ComplaintKind.STORE, re.compile(r"(?i)fail\w{0,10}\s+to\s+store\s+(?:the\s+)?updated\s+lock")),
    (
        ComplaintKind.REFUSED,
        re.compile(r"(?i)fail\w{0,10}\s+(?:to\s+acquire\s+)?(?:the\s+)?lock|lock\b.{0,400}?acquisition"),
    ),
)

_WORDINGS: tuple[tuple[Wording, re.Pattern[str]], ...] = (
    (Wording.FIRST, re.compile(r"(?i)failed\s*lock.{1,600}?type\s*\d+\s*acquisition")),
    (Wording.SECOND, re.compile(r"(?i)please\s+try\s+again\s+later\.")),
    (Wording.THIRD, re.compile(r"(?i)please\s+try\s+again\s+later")),
)

_BOTH = frozenset({Operation.BACKUP, Operation.RESTORE})
_WORDS: tuple[tuple[re.Pattern[str], frozenset[Operation]], ...] = (
    (re.compile(r"(?i)when\s+performing\s+(?:backup\s+)?delet"), frozenset({Operation.DELETE})),
    (re.compile(r"(?i)\btype\s*[:=]?\s*2\b"), frozenset({Operation.DELETE})),
    (re.compile(r"(?i)when\s+performing\s+backup\s+create/restore|\btype\s*[:=]?\s*1\b"), _BOTH),
    (
        re.compile(r"(?i)\b(?:delet(?:e|ing)\s+(?:the\s+)?backup|backup\s+rm)\b"),
        frozenset({Operation.DELETE}),
    ),
)
_NARROWER: tuple[tuple[re.Pattern[str], Operation], ...] = (
    (
        re.compile(
            r"(?i)initiating\s+(?:full|incremental)\s+backup\s+restore|\bbackup\s+restore\b(?!d)|"
            r"fail\w{0,10}\s+to\s+restore|restor(?:e|ing)\s+(?:the\s+)?(?:backup|volume)"
        ),
        Operation.RESTORE,
    ),
    (
        re.compile(
            r"(?i)fail\w{0,10}\s+to\s+(?:create\s+(?:a\s+)?)?backup\s+(?:the\s+)?snapshot|backup\s+create\b(?!\s*/)"
        ),
        Operation.BACKUP,
    ),
)


def find_complaints(text: str) -> tuple[Complaint, ...]:
    """What a pasted message, log line or whole log says about locks, each lock once, in order. Of a text
    that is too long the end counts, and of too many locks those that are named last.

    Text without anything of the kind gives an empty tuple; nothing is guessed from a volume's name alone
    unless it stands in a backup's URL.
    """
    text = _plain(text[-MAX_TEXT:])
    found: dict[tuple[str, str], Complaint] = {}
    for complaint in (one for record in _records(text) for one in _in_record(record)):
        key = (complaint.volume, complaint.lock)
        found[key] = _merge(found[key], complaint) if key in found else complaint
        if len(found) > MAX_COMPLAINTS:
            del found[next(iter(found))]
    return tuple(found.values())


def _plain(text: str) -> str:
    """Without what a terminal, a box around it or JSON have put into it."""
    text = _TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _BOX_RIGHT.sub("", _BOX_LEFT.sub("", text)).replace("\\/", "/")


def _records(text: str) -> list[list[str]]:
    """The records of a text, each in the lines that it was broken into."""
    records: list[list[str]] = []
    named, end = False, ""
    for line in text.splitlines():
        if not line.strip():
            continue
        if not records or _BEGINS.match(line) or (named and _MAY_BEGIN.match(line)):
            records.append([])
            named, end = False, ""
        records[-1].append(line)
        named = named or ".lck" in end + line.lstrip()
        end = line[-4:]
    return records


def _in_record(lines: list[str]) -> list[Complaint]:
    """What a record says: as a terminal breaks it, anywhere, and as a mail does, between words. If it speaks
    of several locks, it is more than one record, and each line counts for itself."""
    if len(lines) == 1:
        return _in_line(lines[0])
    rest = _undented(lines[1:])
    glued, spaced = "".join([lines[0], *rest]), " ".join([lines[0], *rest])
    found = _in_line(glued)
    if len({(one.volume, one.lock) for one in found}) == 1:
        more = _in_line(spaced)
        same = [one for one in more if (one.volume, one.lock) == (found[0].volume, found[0].lock)]
        other = same[0] if same else _said(spaced, found[0])
        return [_merge(found[0], other)]
    mended = _BROKEN_PATH.sub(r"\1", "\n".join(lines)).split("\n")
    if any(_PATH.search(line) and _lockish(line) for line in mended):
        return [one for line in mended for one in _in_line(line)]
    return _in_line(" ".join(mended))


def _undented(lines: list[str]) -> list[str]:
    """Without the indentation that all have. A single blank may be the message's own."""
    common = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[common:] for line in lines] if common > 1 else lines


def _said(line: str, of: Complaint) -> Complaint:
    """The same complaint, with what a line says of kind, operation and wording."""
    kind, operations, wording = _judged(line)
    return Complaint(kind, of.volume, operations, of.lock, of.excerpt, wording)


def _lockish(line: str) -> bool:
    return any(pattern.search(line) for _, pattern in _KINDS)


def _judged(line: str) -> tuple[ComplaintKind, frozenset[Operation], Wording]:
    kind = next((kind for kind, pattern in _KINDS if pattern.search(line)), ComplaintKind.MENTIONED)
    wording = next((word for word, pattern in _WORDINGS if pattern.search(line)), Wording.OTHER)
    return kind, _operations(line), wording


def _in_line(line: str) -> list[Complaint]:
    kind, operations, wording = _judged(line)
    complaints = [
        Complaint(kind, path["volume"], operations, path["lock"], _excerpt(line, path), wording)
        for path in _PATH.finditer(line)
        if layout.shards(path["volume"]) == (path["one"], path["two"])
    ]
    if complaints:
        return complaints
    return [
        Complaint(kind, url["volume"], operations, "", _excerpt(line, url), wording)
        for url in _URL_VOLUME.finditer(line)
    ]


def _operations(line: str) -> frozenset[Operation]:
    known = next((found for pattern, found in _WORDS if pattern.search(line)), frozenset[Operation]())
    narrower = {found for pattern, found in _NARROWER if pattern.search(line)}
    if known == _BOTH or not known:
        return frozenset(narrower) if len(narrower) == 1 else known
    return known


def _excerpt(line: str, around: re.Match[str]) -> str:
    start, end = max(0, around.start() - 80), min(len(line), around.end() + 80)
    cut = ("…" if start else "") + line[start:end].strip() + ("…" if end < len(line) else "")
    return printable(" ".join(cut.split()), limit=500)


def _merge(first: Complaint, second: Complaint) -> Complaint:
    """The same lock spoken of twice (messages are wrapped in themselves): the more that is known wins."""
    kind = second.kind if first.kind is ComplaintKind.MENTIONED else first.kind
    narrower = [found for found in (first.operations, second.operations) if found]
    operations = min(narrower, key=len) if narrower else frozenset[Operation]()
    wording = second.wording if first.wording is Wording.OTHER else first.wording
    return Complaint(kind, first.volume, operations, first.lock, first.excerpt, wording)

"""What is said about a pasted message: for each complaint in it whether the way is free now, the lock in the
way, whether that is alive, and what each possible act would do.

Pure: complaints and the status in, text and tones out.
"""

from __future__ import annotations

from collections.abc import Sequence

from backuplock.errors import Missing
from backuplock.explain import Complaint
from backuplock.inquiry import Inquiry
from locktop.format import Line, name
from locktop.output.explain_text import (
    answer_paras,
    blocker_paras,
    bystander_paras,
    habit_paras,
    message_paras,
    no_picture_paras,
)
from locktop.output.paper import Para, blank, title
from locktop.output.volume_text import caveats
from locktop.reports import Report, report
from locktop.rows import Board
from locktop.status import Status
from locktop.volume_now import inquiry_now
from locktop.volume_sheet import Paper, section
from locktop.widgets.panes import para_lines


def key_of(complaint: Complaint) -> str:
    """What a complaint goes by: no message gives two of the same volume and lock."""
    return f"{complaint.volume}/{complaint.lock}"


def reports_now(complaints: Sequence[Complaint], status: Status) -> dict[str, Report]:
    """What there is to say about each complaint now, by `key_of`."""
    asked: dict[str, Inquiry | None] = {}
    found: dict[str, Report] = {}
    for one in complaints:
        if one.volume not in asked:
            asked[one.volume] = inquiry_now(status, one.volume)
        inquiry = asked[one.volume]
        problem = "" if inquiry is not None else _no_picture(one.volume, status)
        found[key_of(one)] = report(one, inquiry, problem)
    return found


def _no_picture(volume: str, status: Status) -> str:
    if status.board is None and status.failure is not None:
        return status.failure.line
    if status.board is None:
        return "the store is still being read"
    if not status.board.snapshot.complete:
        return f"{name(volume)} was not seen, but not everything could be read: absence proves nothing"
    what = f"this store has no backup volume {name(volume)}"
    return str(Missing(what, advice="is it the target that Longhorn used? The message may be of another one"))


def report_lines(found: Report, board: Board | None, paper: Paper) -> list[Line]:
    """Everything about one complaint: the answer first, its reasons after, the message itself last."""
    paras: list[Para] = [blank(), _volume(found)]
    if found.inquiry is None or board is None:
        paras += no_picture_paras(found)
    else:
        paras += [*answer_paras(found), *caveats(found.inquiry)]
        paras += blocker_paras(found, board, paper.glyphs, watched=True)
        paras += bystander_paras(found, paper.glyphs)
    said = [title("What the message says"), *message_paras(found), *habit_paras(found)]
    return _lined([*paras, blank(), *said], paper)


def _lined(paras: list[Para], paper: Paper) -> list[Line]:
    """Titles become rules, and nothing else begins at the very edge of the screen."""
    lines: list[Line] = []
    for para in paras:
        if para.parts and para.parts[0][1] == "title":
            lines.append(section(para.parts[0][0], paper))
        elif para.parts:
            moved = Para(para.parts, max(2, para.first), max(2, para.hang), para.wrap)
            lines += para_lines([moved], paper.width)
        else:
            lines.append([])
    return lines


def _volume(found: Report) -> Para:
    names = found.inquiry.view.names if found.inquiry is not None else None
    parts: Line = [(name(found.complaint.volume), "strong")]
    if names is not None and names.claim_path:
        parts.append((f"  {name(names.claim_path)}", "key"))
    if names is not None and names.workload:
        parts.append((f"  {name(names.workload)}", "dim"))
    return Para(parts, first=2, hang=2)


def instead_lines(text: str, paper: Paper) -> list[Line]:
    """What stands in place of a report while there is nothing to report."""
    paras: list[Para] = [blank()]
    if text.strip():
        paras += [
            Para([("  Nothing in this text is about a lock of a volume.", "late")]),
            blank(),
            Para(
                [("What can be explained names a lock's file, or a volume in a backup's URL:", "text")], 2, 2
            ),
        ]
    else:
        paras += [
            Para([("What Longhorn said, as it stands in its UI, in an event or in a log:", "text")], 2, 2),
        ]
    paras += [
        blank(),
        *(Para([(one, "dim")], 4, 6) for one in _EXAMPLES),
        blank(),
        Para(
            [("The path in it is that of the refused operation's own file, never of the culprit's.", "text")],
            2,
            2,
        ),
        Para([("Who is in the way is looked up in this store. Nothing is written.", "text")], 2, 2),
    ]
    return para_lines(paras, paper.width)


_EXAMPLES = (
    "failed to acquire lock backupstore/volumes/../pvc-../locks/lock-..lck when performing backup "
    "deletion, please try again later",
    "failed lock backupstore/volumes/../pvc-../locks/lock-..lck type 1 acquisition",
)

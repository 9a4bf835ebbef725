"""A complaint and the present picture, in text: the answer first, its reasons after."""

from __future__ import annotations

from backuplock import layout
from backuplock.explain import Complaint, ComplaintKind, Wording
from backuplock.inquiry import Inquiry
from locktop.advice import Act
from locktop.describe import View, describe_alone, longhorn_differs
from locktop.format import Glyphs, Part, name, number, plural
from locktop.output.paper import Para, blank, labelled, title
from locktop.output.volume_text import heading, lock_evidence
from locktop.output.words import glyph, lock_words, state_words
from locktop.reports import Blocker, Report
from locktop.rows import Board, Row, board_of

_WHAT = {
    ComplaintKind.REFUSED: "refused: a lock was not granted, for somebody else's came first",
    ComplaintKind.REFRESH: "a holder could not refresh its lock; it works on all the same",
    ComplaintKind.LOAD: "a client could not read somebody's lock, and ignored it",
    ComplaintKind.UNLOCK: "a holder could not remove its lock; the file stays until somebody removes it",
    ComplaintKind.STORE: "a client could not write its lock",
    ComplaintKind.MENTIONED: "the volume is named; of locks nothing is said that is known here",
}
_WHOSE = {
    ComplaintKind.REFUSED: "is the refused operation's own, which it deletes; it never was the cause",
    ComplaintKind.REFRESH: "is that holder's own",
    ComplaintKind.LOAD: "is the one that could not be read",
    ComplaintKind.UNLOCK: "is that holder's own",
    ComplaintKind.STORE: "is that client's own",
    ComplaintKind.MENTIONED: "is named in the message",
}
_ACTS = {"wait": "wait", "stop_holder": "stop it", "remove_file": "remove it"}
_TONES = {"yes": "good", "no": "dim", "perhaps": "waiting", "harmful": "alert"}
_HELPS = {"yes": "helps", "no": "no use", "perhaps": "perhaps", "harmful": "HARMFUL"}
_SHOWN = 20
"""Blockers that are told in full."""


def report_paras(found: Report, glyphs: Glyphs, *, times: int = 1) -> list[Para]:
    """Everything about one complaint; `times`: how often the text has it, each time with another file."""
    paras = [title("The message"), *message_paras(found)]
    if times > 1:
        words = f"{number(times)} times; this is the last. Each attempt has a file of its own"
        paras.append(labelled("how often", [(words, "text")]))
    paras.append(blank())
    if found.inquiry is None:
        return [*paras, *no_picture_paras(found), *habit_paras(found)]
    paras += [*heading(found.inquiry, glyphs), blank(), *answer_paras(found)]
    paras += blocker_paras(found, board_of(found.inquiry.snapshot), glyphs)
    return [*paras, *bystander_paras(found, glyphs), *habit_paras(found)]


def blocker_paras(found: Report, board: Board, glyphs: Glyphs, *, watched: bool = False) -> list[Para]:
    """Each lock in the way: its state, signs of life, what would help.

    `board` has the rows of its Snapshot; `watched` leaves out the advice to watch, where that is done anyway.
    """
    if found.inquiry is None:
        return []
    inquiry = found.inquiry
    view = View(board, inquiry.now, inquiry.local_now_ns, glyphs)
    paras: list[Para] = []
    for one in found.blockers[:_SHOWN]:
        paras += [blank(), *_blocker(inquiry, one, board.by_key[one.node.lock.key], view)]
        unseen = not inquiry.lives[one.node.lock.key].condemned_by and not inquiry.watched_ns
        if unseen and not watched:
            words = "--watch 70s watches for a refresh, the surest sign of life"
            paras.append(labelled("", [(words, "dim")]))
        paras += [labelled("" if at else "what helps", _act(act)) for at, act in enumerate(one.acts)]
    if len(found.blockers) > _SHOWN:
        paras += [blank(), Para([(f"and {len(found.blockers) - _SHOWN:,} more in the way", "late")])]
    return paras


def message_paras(found: Report) -> list[Para]:
    """What the message says: volume, operation, whose file it names."""
    said: Complaint = found.complaint
    volume = name(said.volume)
    if said.volume == layout.BACKING_IMAGE:
        volume += ", the lock domain of all backing images"
    paras = [labelled("volume", [(volume, "strong")]), labelled("says", [(_WHAT[said.kind], "text")])]
    if said.operations:
        what = " or ".join(operation.value for operation in found.operations)
        paras.insert(1, labelled("operation", [(what, "text")]))
    if said.lock:
        there = " (it is still there)" if found.own_is_there else ""
        paras.append(labelled("its file", [(f"{name(said.lock)} {_WHOSE[said.kind]}{there}", "text")]))
    if said.wording is not Wording.OTHER:
        paras.append(labelled("wording", [(f"of Longhorn {said.wording.value}", "dim")]))
    return paras


def no_picture_paras(found: Report) -> list[Para]:
    """Why nothing is known of the present."""
    if found.problem:
        return [Para([("NO PICTURE: ", "bad"), (name(found.problem), "text")])]
    advice = "who is in the way now stands in the backup store: name it with -t TARGET or LOCKTOP_TARGET, "
    example = "the same URL as Longhorn's backup target, or the folder where it is mounted"
    return [Para([("Not looked: ", "unsure"), (advice + example, "text")])]


def answer_paras(found: Report) -> list[Para]:
    """Whether the operation would be granted now."""
    what = " and ".join(operation.value for operation in found.operations)
    if found.outcome == "free":
        paras = [Para([(f"FREE: {what} would be granted now; retry", "good")])]
        for node in found.ignored[:_SHOWN]:
            words = f"{lock_words(node.lock)} lies there, but Longhorn cannot decode it and ignores it"
            paras.append(Para([(words, "dim")], first=2))
        if len(found.ignored) > _SHOWN:
            paras.append(Para([(f"and {len(found.ignored) - _SHOWN:,} more", "dim")], first=2))
        return paras
    locks = plural(len(found.blockers), "lock")
    if found.outcome == "blocked":
        return [Para([(f"BLOCKED: {what} would be refused now because of {locks}", "late")])]
    reason = f"{locks} may or may not count" if found.blockers else "the volume could not be read"
    return [Para([(f"UNKNOWN: whether {what} would be granted cannot be told, {reason}", "unsure")])]


def _blocker(inquiry: Inquiry, one: Blocker, row: Row, view: View) -> list[Para]:
    node = one.node
    paras = [Para([glyph(node, view.glyphs), (name(node.lock.stem), "strong")])]
    told = {fact.label: list(fact.parts) for fact in describe_alone(row, view)}
    if node.difference is not None:
        told["Longhorn"] = longhorn_differs(row, view)
    labels = ("state", "blocks", "Longhorn", "hint")
    paras += [labelled(label, told[label]) for label in labels if told.get(label)]
    paras += lock_evidence(inquiry, node, "alive?")
    return paras


def _act(act: Act) -> list[Part]:
    return [
        (f"{_ACTS[act.act]:<9} ", "strong"),
        (_HELPS[act.helps], _TONES[act.helps]),
        (f": {act.text}", "text"),
    ]


def bystander_paras(found: Report, glyphs: Glyphs) -> list[Para]:
    """Locks beside the blockers: whoever looks at the folder by hand takes them for the culprit."""
    if found.inquiry is None:
        return []
    told = {one.node.lock.key for one in found.blockers} | {node.lock.key for node in found.ignored}
    rest = [node for node in found.inquiry.tree.nodes if node.lock.key not in told]
    if not rest:
        return []
    paras = [blank(), title("Also there, and not in the way")]
    for node in rest[:_SHOWN]:
        own = " (the file that the message names)" if node.lock.stem == found.complaint.lock else ""
        words = f"{lock_words(node.lock)}: {state_words(node)}{own}"
        paras.append(Para([glyph(node, glyphs), (words, "text")], first=2, hang=4))
    if len(rest) > _SHOWN:
        paras.append(Para([(f"and {len(rest) - _SHOWN:,} more", "dim")], first=2))
    return paras


def habit_paras(found: Report) -> list[Para]:
    """What Longhorn does after such a refusal."""
    if not found.habits:
        return []
    paras = [blank(), title("What Longhorn does by itself")]
    return [*paras, *(labelled(one.operation.value, [(one.text, "text")]) for one in found.habits)]

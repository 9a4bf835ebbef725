"""A complaint and the present picture, in text: the answer first, its reasons after."""

from __future__ import annotations

from backuplock import layout
from backuplock.explain import Complaint, ComplaintKind, Wording
from backuplock.inquiry import Inquiry
from locktop.advice import Act
from locktop.describe import View, describe
from locktop.format import Glyphs, Part, name, plural
from locktop.output.paper import Para, blank, labelled, title
from locktop.output.volume_text import heading, lock_evidence
from locktop.output.words import glyph, lock_words, state_words
from locktop.reports import Blocker, Report
from locktop.rows import Row, board_of

_WHAT = {
    ComplaintKind.REFUSED: "refused: a lock was not granted, for somebody else's came first",
    ComplaintKind.REFRESH: "a holder could not refresh its lock; it works on all the same",
    ComplaintKind.LOAD: "a client could not read somebody's lock, and ignored it",
    ComplaintKind.UNLOCK: "a holder could not remove its lock; the file stays until somebody removes it",
    ComplaintKind.STORE: "a client could not write its lock",
    ComplaintKind.MENTIONED: "the volume is named; of locks nothing is said that is known here",
}
_WHOSE = {
    ComplaintKind.REFUSED: "is the refused operation's own, already deleted; it never was the cause",
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


def report_paras(found: Report, glyphs: Glyphs) -> list[Para]:
    """Everything about one complaint."""
    paras = [title("The message"), *_message(found), blank()]
    if found.inquiry is None:
        return [*paras, *_no_picture(found), *_habits(found)]
    paras += [*heading(found.inquiry, glyphs), blank(), *_answer(found)]
    board = board_of(found.inquiry.snapshot)
    view = View(board, found.inquiry.now, found.inquiry.local_now_ns, glyphs)
    for one in found.blockers[:_SHOWN]:
        paras += [blank(), *_blocker(found.inquiry, one, board.by_key[one.node.lock.key], view)]
    if len(found.blockers) > _SHOWN:
        paras += [blank(), Para([(f"and {len(found.blockers) - _SHOWN:,} more in the way", "late")])]
    return [*paras, *_others(found, glyphs), *_habits(found)]


def _message(found: Report) -> list[Para]:
    said: Complaint = found.complaint
    volume = name(said.volume)
    if said.volume == layout.BACKING_IMAGE:
        volume += ", the lock domain of all backing images"
    paras = [labelled("volume", [(volume, "strong")]), labelled("says", [(_WHAT[said.kind], "text")])]
    if said.operations:
        what = " or ".join(operation.value for operation in found.operations)
        paras.insert(1, labelled("operation", [(what, "text")]))
    if said.lock:
        paras.append(labelled("its file", [(f"{name(said.lock)} {_WHOSE[said.kind]}", "text")]))
    if said.wording is not Wording.OTHER:
        paras.append(labelled("wording", [(f"of Longhorn {said.wording.value}", "dim")]))
    return paras


def _no_picture(found: Report) -> list[Para]:
    if found.problem:
        return [Para([("NO PICTURE: ", "bad"), (name(found.problem), "text")])]
    advice = "who is in the way now stands in the backup store: name it with -t TARGET or LOCKTOP_TARGET, "
    example = "the same URL as Longhorn's backup target, or the folder where it is mounted"
    return [Para([("Not looked: ", "unsure"), (advice + example, "text")])]


def _answer(found: Report) -> list[Para]:
    what = " and ".join(operation.value for operation in found.operations)
    if found.outcome == "free":
        paras = [Para([(f"FREE: {what} would be granted now; retry", "good")])]
        for node in found.ignored:
            words = f"{lock_words(node.lock)} lies there, but Longhorn cannot decode it and ignores it"
            paras.append(Para([(words, "dim")], first=2))
        return paras
    locks = plural(len(found.blockers), "lock")
    if found.outcome == "blocked":
        return [Para([(f"BLOCKED: {what} would be refused now because of {locks}", "late")])]
    reason = f"{locks} may or may not count" if found.blockers else "the volume could not be read"
    return [Para([(f"UNKNOWN: whether {what} would be granted cannot be told, {reason}", "unsure")])]


def _blocker(inquiry: Inquiry, one: Blocker, row: Row, view: View) -> list[Para]:
    node = one.node
    paras = [Para([glyph(node, view.glyphs), (name(node.lock.stem), "strong")])]
    told = {fact.label: list(fact.parts) for fact in describe(row, view)}
    labels = ("state", "blocks", "Longhorn", "hint")
    paras += [labelled(label, told[label]) for label in labels if label in told]
    paras += lock_evidence(inquiry, node, "alive?")
    if not inquiry.lives[node.lock.key].condemned_by and not inquiry.watched_ns:
        words = "--watch 70s watches for a refresh, the surest sign of life"
        paras.append(labelled("", [(words, "dim")]))
    for at, act in enumerate(one.acts):
        paras.append(labelled("what helps" if at == 0 else "", _act(act)))
    return paras


def _act(act: Act) -> list[Part]:
    return [
        (f"{_ACTS[act.act]:<9} ", "strong"),
        (_HELPS[act.helps], _TONES[act.helps]),
        (f": {act.text}", "text"),
    ]


def _others(found: Report, glyphs: Glyphs) -> list[Para]:
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


def _habits(found: Report) -> list[Para]:
    if not found.habits:
        return []
    paras = [blank(), title("What Longhorn does by itself")]
    return [*paras, *(labelled(one.operation.value, [(one.text, "text")]) for one in found.habits)]

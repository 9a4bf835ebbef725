"""Forecasts in text: the verdict first, the reason second, the timeline third, what is assumed last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from backuplock.clock import SECOND, Span
from backuplock.model import Flaw, VolumeView
from backuplock.simulate import Act, Lane
from backuplock.tree import tree_of
from locktop.durations import show_duration
from locktop.format import Glyphs, Line, Part, name, number, plural, type_label, type_words, utc_near
from locktop.output.paper import Para, blank, labelled, terminal_width, title
from locktop.output.timeline import timeline
from locktop.output.words import until_words
from locktop.what_if import Played, Result, act_at, held_until

VERDICTS: dict[Result, Part] = {
    "granted": ("GRANTED", "good"),
    "refused": ("REFUSED", "late"),
    "lost": ("GRANTED, THEN LOST", "alert"),
    "unknown": ("CANNOT BE TOLD", "unsure"),
}
"""What each result is called, and its tone."""
NOTICE = "SIMULATION: nothing is written to the store"
_NAMED = 6
_PLAIN_WIDTH = 110
_LISTED = 200


def played_paras(view: VolumeView, now: Span, played: Sequence[Played], glyphs: Glyphs) -> list[Para]:
    """All about one volume."""
    called = f" {glyphs.dot} {name(view.names.claim_path)}" if view.names and view.names.claim_path else ""
    paras = [Para([(name(view.name) + called, "strong"), (f"   {NOTICE}", "dim")]), blank()]
    numbers = numbers_of(view, now)
    for one in played:
        paras += verdict_paras(one, view, now, numbers, glyphs)
    if len(played) == 1 and played[0].forecast is not None:
        width = (terminal_width() or _PLAIN_WIDTH) - 2
        labels = lane_labels(played[0], view, numbers)
        drawn = timeline(played[0].forecast, labels, now.middle, width=width, glyphs=glyphs)
        paras += [blank(), *drawn]
    return [*paras, blank(), *assumed_paras(played[0], view, now, numbers)]


def numbers_of(view: VolumeView, now: Span) -> dict[str, int]:
    """The locks' numbers as `locktop show` has them, by key."""
    tree = tree_of(view, now, local_now_ns=now.middle)
    return {node.lock.key: node.number for node in tree.nodes}


def lane_labels(played: Played, view: VolumeView, numbers: dict[str, int]) -> dict[str, str]:
    """`1 delete lock-9f2c…` for locks that are there, `* backup (simulated)` for clients."""
    locks = {lock.key: lock for lock in view.locks}
    found: dict[str, str] = {}
    for lane in played.forecast.lanes if played.forecast else ():
        if lane.client is None:
            lock = locks[lane.key]
            found[lane.key] = f"{numbers[lane.key]} {type_label(lock.record)} {name(lock.stem)}"
        else:
            found[lane.key] = f"{'*' if lane.client == 0 else '+'} {lane.label}"
    return found


def verdict_paras(
    one: Played, view: VolumeView, now: Span, numbers: dict[str, int], glyphs: Glyphs
) -> list[Para]:
    """How it ends, why, and what follows for others."""
    arrow = "->" if glyphs.ellipsis == ".." else "→"
    decided = one.decisive
    at = f" at {until_words(now.middle + decided.decided_ns, now)}" if decided else ""
    tries = f", {plural(one.tries, 'attempt')}" if one.tries > 1 else ""
    paras = [
        Para(
            [
                (f"{one.operation.value.upper()}  {arrow}  ", "strong"),
                VERDICTS[one.result],
                (at + tries, "text"),
            ]
        )
    ]
    paras.append(labelled("because", because(one, view, numbers)))
    then = _then(one, now)
    if then:
        paras.append(labelled("then", [(then, "text")]))
    return paras


def because(one: Played, view: VolumeView, numbers: Mapping[str, int | str]) -> Line:
    """Why it ends as it does."""
    decided = one.decisive
    if one.doubt or decided is None or one.forecast is None:
        return [(one.doubt or "it never came to an attempt", "text")]
    if not decided.granted:
        found = [_blocked_by(blocker.key, blocker.acquired, numbers) for blocker in decided.blockers[:_NAMED]]
        more = f" and {number(len(decided.blockers) - _NAMED)} more" if len(decided.blockers) > _NAMED else ""
        why: Line = [("; ".join(found) + more if found else name(decided.detail), "text")]
        flaws = {lock.key: lock.flaw for lock in view.locks}
        if found and all(flaws.get(one.key) is Flaw.UNDECODABLE for one in decided.blockers):
            them = "it" if len(decided.blockers) == 1 else "them"
            why.append((f"; Longhorn itself ignores {them}, and would be granted", "late"))
        return why
    if one.result == "lost":
        return [
            ("nothing is in the way when it asks, but a lock of another type appears while it works", "text")
        ]
    lanes = [lane for lane in one.forecast.lanes if lane.client is None]
    found = [_harmless(lane, decided.decided_ns, one, numbers) for lane in lanes[:_NAMED]]
    more = f"; and {number(len(lanes) - _NAMED)} more locks do not block it" if len(lanes) > _NAMED else ""
    return [("; ".join(found) + more if found else "there is no other lock", "text")]


def names_in(view: VolumeView) -> dict[str, str]:
    """The locks' names, by key: for lines without a numbered list beside them."""
    return {lock.key: name(lock.stem) for lock in view.locks}


def _who(called: int | str) -> str:
    return f"lock {called}" if isinstance(called, int) else called


def _blocked_by(key: str, acquired: bool | None, numbers: Mapping[str, int | str]) -> str:
    who = _who(numbers[key]) if key in numbers else "another simulated client"
    how = "has no record that can be read" if acquired is None else "holds" if acquired else "asked earlier"
    return f"{who} {how}" + ("" if acquired is None else " and is of another type")


def _harmless(lane: Lane, when_ns: int, one: Played, numbers: Mapping[str, int | str]) -> str:
    act = act_at(lane, when_ns)
    who = _who(numbers[lane.key])
    if act is Act.EXPIRED:
        return f"{who} has ended"
    if act is Act.GONE or act is None:
        return f"{who} is gone by then"
    return f"{who} has the same type" if lane.type == one.operation.lock_type else f"{who} comes after it"


def _then(one: Played, now: Span) -> str:
    held = held_until(one)
    if held is None or one.result not in ("granted", "lost"):
        return ""
    if one.result == "lost":
        when = until_words(now.middle + (held[1] or 0), now)
        return (
            f"at {when} it learns that its lock is gone; the other holder is alive, and worked on beside it"
        )
    others = "backups and restores" if one.operation.value == "delete" else "deletions"
    client = one.scenario.clients[0]
    crashed = client.crash_after_ns is not None and (
        client.lasts_ns is None or client.crash_after_ns < client.lasts_ns
    )
    why = " (it crashed; its file counts until 150 seconds after its last refresh)" if crashed else ""
    if held[1] is None:
        return (
            f"{others} are refused for as long as it works; if it crashes, until 150 s after its last refresh"
        )
    return f"{others} are refused until {until_words(now.middle + held[1], now)}{why}"


def assumed_paras(one: Played, view: VolumeView, now: Span, numbers: dict[str, int]) -> list[Para]:
    """What the others are supposed to do meanwhile; nothing if it was not played."""
    if one.forecast is None:
        return []
    paras = [title("What is assumed of the others")]
    locks = {lock.key: lock for lock in view.locks}
    lanes = [lane for lane in one.forecast.lanes if lane.client is None]
    for lane in sorted(lanes, key=lambda lane: numbers[lane.key])[:_LISTED]:
        lock = locks[lane.key]
        words = f"{type_words(lock.record)} {name(lock.stem)}: {_assumption(lane, one, now)}"
        paras.append(labelled(f"{numbers[lane.key]}", [(words, "text")], width=2))
    if len(paras) == 1:
        paras.append(Para([("nobody else asks", "text")], first=2))
    terms = "clients ask as locktop's own locks do: file a request, wait 2 seconds, look, take it or leave"
    return [*paras, Para([(terms, "dim")], first=2, hang=2)]


def _assumption(lane: Lane, one: Played, now: Span) -> str:
    for pairs, words in (
        (one.scenario.breaks, "its file is removed"),
        (one.scenario.ends, "its holder releases it"),
        (one.scenario.dies, "its holder dies"),
    ):
        for key, when in pairs:
            if key == lane.key:
                back = any(step.act is Act.HOLDS and step.at_ns > when for step in lane.steps)
                more = "; its holder lives and writes it anew" if back else ""
                return f"{words} {_when(when, now)}{more}"
    acts = [step.act for step in lane.steps]
    if acts[:1] == [Act.EXPIRED]:
        return "has ended, nobody holds it; its file stays"
    if acts[:1] == [Act.HOLDS] and Act.EXPIRED not in acts:
        return "its holder lives and goes on refreshing it"
    return "is not refreshed any more, and ends by itself"


def _when(ns: int, now: Span) -> str:
    return (
        "now"
        if ns == 0
        else f"at {utc_near(now.middle + ns, now.middle)} UTC (+{show_duration(ns / SECOND)})"
    )


def batch_paras(rows: Sequence[tuple[VolumeView, Played]], glyphs: Glyphs) -> list[Para]:
    """The same operation over many volumes: counts, then those where it fails."""
    paras = [Para([(NOTICE, "dim")]), *count_paras(rows)]
    for view, played in [row for row in rows if row[1].result != "granted"]:
        called = (
            f" {glyphs.dot} {name(view.names.claim_path)}" if view.names and view.names.claim_path else ""
        )
        word, tone = VERDICTS[played.result]
        line: Line = [
            (f"{played.operation.value:<8}", "text"),
            (f"{word:<15} ", tone),
            (name(view.name) + called, "text"),
        ]
        paras.append(Para([*line, ("  ", "text"), *because(played, view, names_in(view))], first=2, hang=6))
    return paras


def count_paras(rows: Sequence[tuple[VolumeView, Played]]) -> list[Para]:
    """A line for each operation: how many volumes, and how it ends on them."""
    counts = Counter((played.operation, played.result) for _, played in rows)
    paras: list[Para] = []
    for operation in dict.fromkeys(played.operation for _, played in rows):
        shown = [
            f"{words} {number(counts[operation, result])}"
            for result, (words, _) in VERDICTS.items()
            if counts[operation, result]
        ]
        total = sum(played.operation is operation for _, played in rows)
        parts: Line = [(f"{operation.value.upper():<8} ", "strong"), (f"{plural(total, 'volume')}: ", "text")]
        paras.append(Para([*parts, (", ".join(shown), "text")]))
    return paras

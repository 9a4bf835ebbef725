"""What the break dialog says, and when its button is on.

Pure: what was proposed and what was typed in, text and tones out.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from backuplock.breaking import Check, Plan, Token
from backuplock.clock import SECOND
from backuplock.guarantees import Guarantee
from backuplock.text import elapsed, printable
from locktop.deeds import LeftOut, Outcome, Progress, Proposal
from locktop.describe import Fact
from locktop.format import (
    Glyphs,
    Line,
    Part,
    countdown,
    fit,
    name,
    number,
    owner_label,
    plural,
    type_label,
    utc_near,
)
from locktop.rows import ttl_ns
from locktop.status import Status
from locktop.widgets.painted import wrap
from locktop.widgets.panes import fact_lines

STEM = 21
"""Cells of a lock's name in a list; Longhorn's have as many."""

FRESH_NS = 10 * SECOND
"""How old preconditions may be for the button to be on; they are read anew every two seconds."""

_TICKS: dict[bool | None, Part] = {True: ("[x] ", "good"), False: ("[ ] ", "alert"), None: ("[?] ", "unsure")}


@dataclass(frozen=True, slots=True)
class Form:
    """A dialog as it stands.

    `wanted` are the versions that it was opened for; `proposal` the latest answer; `typed` what stands in the
    field; `even_if_live` as the session was started; `progress` is set while it is at work, `outcomes` once
    that has ended.
    """

    wanted: tuple[Token, ...]
    proposal: Proposal | None = None
    typed: str = ""
    even_if_live: bool = False
    progress: Progress | None = None
    outcomes: tuple[Outcome, ...] = ()

    @property
    def many(self) -> bool:
        """Whether it is about more than one lock."""
        return len(self.wanted) > 1

    @property
    def plans(self) -> tuple[Plan, ...]:
        """What would be broken."""
        return self.proposal.plans if self.proposal is not None else ()

    @property
    def plan(self) -> Plan | None:
        """The plan for a single lock."""
        return self.plans[0] if self.plans and not self.many else None

    @property
    def to_type(self) -> str:
        """What confirms it: of a dead lock the end of its name, of any other all of it; of many, how many.
        What no keyboard has is typed as it is shown."""
        if self.many:
            return str(len(self.plans)) if self.plans else ""
        return printable(self.plan.to_type) if self.plan is not None else ""

    @property
    def asks(self) -> bool:
        """Whether typing can lead to anything: nothing that cannot be typed away stands against it."""
        return not self.over and not obstacle(self)

    @property
    def over(self) -> bool:
        """It is at work, or has been."""
        return self.progress is not None or bool(self.outcomes)


def obstacle(form: Form) -> str:
    """Why it cannot be broken as things stand, whatever is typed; "" if it may be."""
    proposal = form.proposal
    if proposal is None:
        return "reading the lock anew"
    if proposal.problem:
        return proposal.problem
    if form.many:
        return "" if form.plans else "none of them may be broken in bulk"
    plan = proposal.plans[0]
    if plan.unfit:
        return f"it cannot be broken: {name(plan.unfit)}"
    for check in proposal.checks:
        if check.name == "write access" and check.ok is not True:
            return check.words
        if check.name == "unchanged" and check.ok is not True:
            return f"not broken: {name(check.words)}"
    if not plan.dead and not form.even_if_live:
        return "its holder may be alive; only locktop --even-if-live breaks it all the same"
    return ""


def why_off(form: Form, mono_ns: int) -> str:
    """Why the button is off; "" if it is on."""
    if form.outcomes:
        return "this is over"
    if form.progress is not None:
        return "at work"
    if why := obstacle(form):
        return why
    proposal = form.proposal
    if proposal is None or mono_ns - proposal.mono_ns > FRESH_NS:
        since = elapsed(mono_ns - proposal.mono_ns) if proposal is not None else "long"
        return f"the store has not answered for {since}"
    if form.typed != form.to_type:
        return prompt(form)
    return ""


def prompt(form: Form, *, short: bool = False) -> str:
    """What has to be typed, in words."""
    if form.many:
        words = "type the number of locks"
    elif form.plan is not None and form.plan.dead:
        words = f"type the last {len(form.to_type)} characters" + " of the lock's name" * (not short)
    else:
        words = "type its full name" if short else "type the lock's full name"
    return words if short else f"{words} to confirm"


# -- the sheet


def sheet(form: Form, status: Status, glyphs: Glyphs, width: int, *, dense: bool = False) -> list[Line]:
    """Everything above the fields; `dense`: without blank lines."""
    if form.outcomes:
        return _wrapped(_outcomes(form), width)
    where = Fact("store", ((status.label, "strong"), (f"  {status.url}", "dim")))
    facts = [where, *(_many(form) if form.many else _single(form, status, glyphs))]
    groups = [fact_lines(facts, width)]
    plan, proposal = form.plan, form.proposal
    if form.many:
        groups += [_wrapped(lines, width) for lines in _listed(form, status, glyphs, width)]
    elif plan is not None and proposal is not None:
        # What speaks against it comes first, for it must be seen.
        checks = sorted(proposal.checks, key=lambda check: check.ok is True)
        groups.append(fact_lines(_after(plan), width))
        groups.append([line for check in checks for line in _check_lines(check, width)])
        groups.append(_guarantees(plan.guarantees, width))
    gap: list[Line] = [] if dense else [[]]
    return [line for at, group in enumerate(groups) for line in (gap * bool(at) + group)]


def _wrapped(lines: Sequence[Line], width: int) -> list[Line]:
    """No line longer than the sheet is wide: its height is counted by its lines."""
    return [piece for line in lines for piece in (wrap(line, width, hang=6) if line else [line])]


def _after(plan: Plan) -> list[Fact]:
    tone = "text" if plan.dead else "late"
    lines = enumerate(plan.consequences)
    return [Fact("" if at else "after", ((name(line), tone),)) for at, line in lines]


def _single(form: Form, status: Status, glyphs: Glyphs) -> list[Fact]:
    token, plan = form.wanted[0], form.plan
    row = status.board.by_key.get(token.key) if status.board is not None else None
    claim: list[Part] = [("  ", "text"), (name(row.claim), "key")] if row is not None and row.claim else []
    facts = [Fact("volume", ((name(token.volume), "strong"), *claim))]
    if plan is None:
        return [*facts, Fact("lock", ((name(token.name), "strong"),))]
    lock = plan.lock
    whose = owner_label(lock)
    held: list[Part] = [("  held by ", "dim"), (whose, "text")] if whose != "-" else []
    about: tuple[Part, ...] = ((name(token.name), "strong"), (f"  {type_label(lock.record)}", "text"), *held)
    return [*facts, Fact("lock", about), Fact("state", tuple(_state(plan, status, glyphs)))]


def _state(plan: Plan, status: Status, glyphs: Glyphs) -> list[Part]:
    parts: list[Part] = [(f"{glyphs.states[plan.state]} {plan.state.value.upper()}  ", plan.state.value)]
    left = ttl_ns(plan.lock, status.now)
    if left is not None:
        ends = f"ended {countdown(-left)} ago" if left < 0 else f"ends in {countdown(left)}"
        last = utc_near(plan.token.modified_ns, status.now.middle)
        parts.append((f"{ends}, last refresh {last} UTC", "text"))
    return parts


def _check_lines(check: Check, width: int) -> list[Line]:
    tick, tone = _TICKS[check.ok]
    told = "dim" if check.ok else "text"
    fact = Fact("", ((check.name, "text"), (f"  {name(check.words)}", told)))
    first, *more = fact_lines([fact], width)
    mark = f"  {'':<7}{tick}"
    return [[(mark, tone), *first[1:]], *more]


def _guarantees(found: Sequence[Guarantee], width: int) -> list[Line]:
    facts = []
    for at, one in enumerate(found):
        word, tone = ("holds", "good") if one.holds else ("does not hold", "late")
        if one.holds is None:
            word, tone = "not known", "unsure"
        about = ((f"{one.name}: ", "text"), (word, tone), (f"; {one.why}", "dim"))
        facts.append(Fact("this store" if at == 0 else "", about))
    return fact_lines(facts, width)


# -- many


def _many(form: Form) -> list[Fact]:
    if form.proposal is None:
        return [Fact("locks", ((f"{number(len(form.wanted))} marked", "text"),))]
    left: list[Part] = []
    if form.proposal.left_out:
        left = [(f"   {number(len(form.proposal.left_out))} left out: they stay", "late")]
    facts = [Fact("locks", ((f"{plural(len(form.plans), 'dead lock')} to be broken", "strong"), *left))]
    if form.plans:
        facts.append(Fact("after", (("they block nobody any more: this only tidies up", "text"),)))
        copies = form.plans[0].consequences[-1]
        facts.append(Fact("", ((name(copies), "text"),)))
        facts.append(
            Fact("", (("each is read once more right before it goes, and stays if it changed", "text"),))
        )
    return facts


def _listed(form: Form, status: Status, glyphs: Glyphs, width: int) -> list[list[Line]]:
    lines: list[Line] = []
    for plan in form.plans:
        left = ttl_ns(plan.lock, status.now)
        mark: Part = (f"  {glyphs.states[plan.state]} ", plan.state.value)
        stem = fit(name(plan.lock.stem), STEM, ellipsis=glyphs.ellipsis, middle=True)
        volume = fit(name(plan.lock.volume), max(8, width - STEM - 27), ellipsis=glyphs.ellipsis, middle=True)
        ended = f"  {countdown(left):>8}" if left is not None else ""
        lines.append([mark, (f"{stem}  ", "text"), (f"{volume}  ", "text")])
        lines[-1].append((f"{type_label(plan.lock.record):<8}{ended}", "dim"))
    out = form.proposal.left_out if form.proposal is not None else ()
    if not out:
        return [lines]
    return [lines, [[("  LEFT OUT", "dim")], *(_left_out(one) for one in out)]]


def _left_out(one: LeftOut) -> Line:
    return [("  - ", "dim"), (one.token.shown, "text"), (f"  {name(one.why)}", "late")]


def _outcomes(form: Form) -> list[Line]:
    done = sum(one.done for one in form.outcomes)
    rest = len(form.outcomes) - done
    lines: list[Line] = [
        [
            (f"  {plural(done, 'lock')} broken", "good" if done else "text"),
            (f", {number(rest)} not" if rest else "", "late"),
        ],
        [],
    ]
    for one in sorted(form.outcomes, key=lambda found: found.done):
        tick, tone = _TICKS[one.done]
        lines.append([(f"  {tick}", tone), (name(one.words), "text")])
    if done:
        lines += [[], [("  they are watched for 75 s now; u shows the copies, and puts them back", "dim")]]
    return lines


# -- said elsewhere


def command(form: Form, target: str, reason: str) -> str:
    """The command line that does the same; of many, one line each."""
    lines = []
    for token in [plan.token for plan in form.plans] or list(form.wanted):
        live = not form.many and form.plan is not None and not form.plan.dead
        words = [
            "locktop",
            "break",
            "--write",
            "-t",
            target,
            f"{token.volume}/{token.name.removesuffix('.lck')}",
        ]
        words += ["--even-if-live"] if live else []
        words += ["--reason", reason] if reason else []
        lines.append(shlex.join(printable(word, limit=4096) for word in words))
    return "\n".join(lines)


def told(outcomes: Sequence[Outcome]) -> tuple[str, bool]:
    """What came of it in a line, and whether all of it went well."""
    fine = all(one.done for one in outcomes)
    if len(outcomes) == 1:
        return outcomes[0].words, fine
    done = sum(one.done for one in outcomes)
    return f"{number(done)} of {plural(len(outcomes), 'lock')} broken", fine

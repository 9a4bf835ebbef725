"""Breadth-first search over a world: every reachable state, the shortest way to a broken invariant."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass

from model.world import Setup, State, World


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    `complete`: every reachable state was seen. `trace`: the steps to a violation. `depth`: all runs of so
    many steps were seen, whether or not the search was cut short.
    """

    states: int
    transitions: int
    complete: bool
    violation: str
    trace: tuple[str, ...]
    elapsed: float
    depth: int

    def __str__(self) -> str:
        verdict = f"VIOLATED in {len(self.trace)} steps: {self.violation}" if self.violation else "safe"
        if not self.complete and not self.violation:
            verdict = f"no violation in any run of {self.depth} steps (search cut short there)"
        rate = self.states / self.elapsed if self.elapsed else 0.0
        return f"{verdict}; {self.states:,} states, {self.transitions:,} steps, {rate:,.0f} states/s"


def search(setup: Setup, limit: int | None = None) -> Found:
    """Explore a setup; stop at the first violation, or after `limit` states."""
    return _Search(setup).run(limit)


class _Search:
    """States are kept as small integers: each part is interned, a state is the numbers of its parts."""

    def __init__(self, setup: Setup) -> None:
        self.world = World(setup)
        self.parts: dict[object, int] = {}
        self.values: list[object] = []
        self.known: set[int] = set()
        self.codes: list[int] = []
        self.parents = array("q")

    def run(self, limit: int | None) -> Found:
        began = time.perf_counter()
        first = self.world.initial()
        self._add(self._encode(first), -1)
        wrong = self.world.violation(first)
        transitions = 0
        at = depth = 0
        deeper = 1
        while at < len(self.codes) and not wrong and (limit is None or len(self.codes) < limit):
            if at == deeper:
                # All states that so many steps lead to have been expanded; those behind them are one deeper.
                depth, deeper = depth + 1, len(self.codes)
            for _, after in self.world.steps(self._decode(self.codes[at])):
                transitions += 1
                code = self._encode(after)
                if code in self.known:
                    continue
                self._add(code, at)
                wrong = self.world.violation(after)
                if wrong:
                    break
            at += 1
        trace = self._trace(len(self.codes) - 1) if wrong else ()
        elapsed = time.perf_counter() - began
        return Found(len(self.codes), transitions, at >= len(self.codes), wrong, trace, elapsed, depth)

    def _add(self, code: int, parent: int) -> None:
        self.known.add(code)
        self.codes.append(code)
        self.parents.append(parent)

    def _part(self, value: object) -> int:
        known = self.parts.get(value)
        if known is None:
            known = self.parts[value] = len(self.values)
            self.values.append(value)
        return known

    def _encode(self, state: State) -> int:
        code = state.budget * 8 + state.first + 1
        for part in (*state.clients, state.files, state.flights):
            code = code << 24 | self._part(part)
        return code

    def _decode(self, code: int) -> State:
        count = len(self.world.setup.kinds)
        parts = []
        for _ in range(count + 2):
            parts.append(self.values[code & 0xFFFFFF])
            code >>= 24
        parts.reverse()
        clients, files, flights = tuple(parts[:count]), parts[count], parts[count + 1]
        return State(clients, files, flights, code // 8, code % 8 - 1)  # type: ignore[arg-type]

    def _trace(self, at: int) -> tuple[str, ...]:
        """The steps to a state, told again: only parents are kept."""
        said: list[str] = []
        while self.parents[at] >= 0:
            code, at = self.codes[at], self.parents[at]
            told = (text for text, state in self.world.steps(self._decode(self.codes[at]))
                    if self._encode(state) == code)  # fmt: skip
            said.append(next(told))
        return tuple(reversed(said))

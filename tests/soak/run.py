"""Processes of ours beside stand-ins for the original, on a real store, with deaths, stops and faults.

    cd tests && PYTHONPATH=.:../core python -m soak.run --minutes 60 --target rclone

Ours are killed (SIGKILL), stopped past their lease (SIGSTOP, SIGCONT), and go to an S3 server through a proxy
that fails. The originals are killed only, and go straight to the store: that they work on after an error
or a pause nobody else can cure. What two originals do to each other is counted apart. Ends with 1 if ours was
ever inside along with another type.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.proxy import FaultProxy, Rule
from harness.referee import Referee
from harness.s3 import S3Server

TESTS = Path(__file__).parent.parent
FAULTS = (
    lambda: Rule(latency_s=random.uniform(0.1, 2.0), times=5),
    lambda: Rule(reset="request", times=3),
    lambda: Rule(reset="reply", times=3),
    lambda: Rule(status=500, code="InternalError", times=3),
    lambda: Rule(status=500, code="InternalError", obey=True, times=3),
    lambda: Rule(status=503, code="SlowDown", times=3),
    lambda: Rule(status=403, code="AccessDenied", times=1),
    lambda: Rule(truncate=7, method="GET", times=3),
    lambda: Rule(twice=True, times=5),
)


@dataclass(frozen=True)
class Place:
    """Where the two kinds find the store, and with which environment; the proxy before ours, if any."""

    for_ours: str
    for_originals: str
    env_ours: dict[str, str]
    env_originals: dict[str, str]
    proxy: FaultProxy | None = None


@dataclass
class Worker:
    """A running process; `counts` of its last round are in its log."""

    kind: str
    child: subprocess.Popen[bytes]
    log: Path
    wakes_at: float | None = None


@dataclass
class Soak:
    """One run. `happened` counts what was done to the workers."""

    place: Place
    folder: Path
    lease_s: float
    settle_s: float
    volumes: int
    workers: list[Worker] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.referee = Referee(self.folder / "referee")
        self._started = 0

    def start(self, kind: str) -> None:
        """One more worker."""
        self._started += 1
        log = self.folder / f"{kind}-{self._started}.log"
        ours = kind == "ours"
        command = [sys.executable, "-m", "soak.worker", "--kind", kind, "--volumes", str(self.volumes)]
        command += ["--target", self.place.for_ours if ours else self.place.for_originals]
        command += ["--referee", str(self.referee.folder)]
        command += ["--lease", str(self.lease_s), "--settle", str(self.settle_s)]
        paths = [str(TESTS), str(TESTS.parent / "core")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        env.update(self.place.env_ours if ours else self.place.env_originals)
        with log.open("wb") as out:
            child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
        self.workers.append(Worker(kind, child, log))

    def disturb(self) -> None:
        """One random misfortune, and the end of those that have lasted."""
        now = time.monotonic()
        for worker in self.workers:
            if worker.wakes_at is not None and now >= worker.wakes_at:
                worker.child.send_signal(signal.SIGCONT)
                worker.wakes_at = None
        awake = [worker for worker in self.workers if worker.wakes_at is None]
        chance = random.random()
        if chance < 0.2 and awake:
            self.kill(random.choice(awake))
        elif chance < 0.5:
            self.halt([worker for worker in awake if worker.kind == "ours"])
        elif self.place.proxy is not None:
            self.place.proxy.add(random.choice(FAULTS)())
            self.happened["faults"] += 1

    def kill(self, worker: Worker) -> None:
        worker.child.kill()
        worker.child.wait()
        self.referee.forget_dead(worker.child.pid)
        self.workers.remove(worker)
        self.happened[f"{worker.kind} killed"] += 1
        self.start(worker.kind)

    def halt(self, ours: list[Worker]) -> None:
        """Stop one of ours, past its lease."""
        if len(ours) < 2:
            return
        worker = random.choice(ours)
        worker.child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, worker.child.pid, os.WSTOPPED)
        self.referee.excuse_stopped(worker.child.pid)
        worker.wakes_at = time.monotonic() + self.lease_s * random.uniform(0.8, 1.4)
        self.happened["ours stopped"] += 1

    def stop(self) -> None:
        for worker in self.workers:
            worker.child.kill()
            worker.child.wait()

    def broken(self) -> list[str]:
        """Workers that ended by themselves, with the end of their output."""
        return [
            worker.log.read_text()[-2000:] for worker in self.workers if worker.child.poll() not in (None, -9)
        ]

    def counts(self) -> Counter[str]:
        """What all workers did, also those that are gone."""
        found: Counter[str] = Counter()
        for log in self.folder.glob("*.log"):
            rounds = [line for line in log.read_text("utf-8", "replace").splitlines() if line[:1] == "{"]
            if rounds and rounds[-1].endswith("}"):
                kind = log.name.split("-")[0]
                found.update({f"{kind} {what}": n for what, n in json.loads(rounds[-1]).items()})
        return found


def verdict(violations: list[str]) -> tuple[list[str], int]:
    """Violations in which ours took part, and how many were among originals only."""
    with_ours = [line for line in violations if "_ours_" in line]
    return with_ours, len(violations) - len(with_ours)


@contextmanager
def place_of(target: str, folder: Path) -> Iterator[Place]:
    """Set up what a target of the command line names: files, rclone, moto, or a target URL as it is."""
    with ExitStack() as stack:
        if target == "files":
            root = folder / "store"
            root.mkdir()
            yield Place(str(root), str(root), {}, {})
        elif target in ("rclone", "moto"):
            server = _server(target, folder)
            stack.callback(lambda: server.process and server.process.stop())
            proxy = stack.enter_context(FaultProxy(server))
            url = server.url("soak")
            yield Place(url, url, proxy.server.environ(), server.environ(), proxy)
        else:
            yield Place(target, target, {}, {})


def _server(name: str, folder: Path) -> S3Server:
    if name == "moto":
        from harness.moto import start_moto

        return start_moto(folder / "moto.log.txt")
    from harness.rclone import start_rclone

    return start_rclone(folder / "data", folder / "rclone.log.txt")


def run(
    target: str,
    seconds: float,
    *,
    ours: int,
    originals: int,
    volumes: int,
    lease_s: float,
    settle_s: float,
    pause_s: float,
    folder: Path,
    at_least: int = 0,
) -> tuple[Soak, str, list[str]]:
    """Run for so long, or up to five times as long until ours held `at_least` locks and as much has been done
    to them.

    Returns: the soak, its summary line, and what must not have happened.
    """
    with place_of(target, folder) as place:
        soak = Soak(place, folder, lease_s, settle_s, volumes)
        try:
            for kind, count in (("ours", ours), ("original", originals)):
                for _ in range(count):
                    soak.start(kind)
            began = time.monotonic()
            while not soak.broken():
                lasted = time.monotonic() - began
                least = min(soak.counts()["ours held"], soak.happened.total())
                if lasted >= seconds and (least >= at_least or lasted > 5 * seconds):
                    break
                time.sleep(random.uniform(0, 2 * pause_s))
                soak.disturb()
            wrong = soak.broken()
        finally:
            soak.stop()
    with_ours, among_originals = verdict(soak.referee.violations())
    counts = soak.counts() + soak.happened
    told = ", ".join(f"{what} {n}" for what, n in sorted(counts.items()))
    summary = f"{target}: {len(with_ours)} violations of ours, {among_originals} among originals; {told}"
    return soak, summary, with_ours + wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--target", default="files", help="files, rclone, moto, or a target URL")
    parser.add_argument("--ours", type=int, default=4)
    parser.add_argument("--originals", type=int, default=2)
    parser.add_argument("--volumes", type=int, default=3)
    parser.add_argument("--lease", type=float, default=12.0, help="seconds")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between misfortunes, about")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="locktop-soak-") as folder:
        _, summary, wrong = run(
            asked.target,
            asked.minutes * 60,
            ours=asked.ours,
            originals=asked.originals,
            volumes=asked.volumes,
            lease_s=asked.lease,
            settle_s=asked.settle,
            pause_s=asked.pause,
            folder=Path(folder),
        )
    print(summary)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

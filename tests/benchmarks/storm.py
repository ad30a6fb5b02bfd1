"""`make storm SECONDS=180`: members join and leave every few seconds, and no byte changes.

A real broker, eight partitions, a producer that never stops, six members that come for a few
seconds each. Most leave in order, one in eight is killed; half have a name for good. The verdict is
that of `make chaos`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks import torture
from tests.benchmarks.torture import Scorer, fork
from tests.broker.broker import Broker

PARTITIONS = 8
MEMBERS = 6
EVENTS_PER_S = 400
STAYS_S = (2.0, 6.0)
AWAY_S = (0.2, 2.0)
KILLED_SHARE = 1 / 8


class Guest:
    """A member that comes and goes, by its own clock."""

    def __init__(self, scorer: Scorer, chance: random.Random) -> None:
        self._scorer, self._chance = scorer, chance
        self._state = "away"
        self._next_s = time.monotonic()
        self.joins = self.kills = 0
        self.codes: list[int] = []

    def look(self) -> None:
        """Join, leave, or go on."""
        now_s = time.monotonic()
        if self._state == "leaving":
            code = self._scorer.gone()
            if code is not None:
                self._ended(code)
        elif now_s >= self._next_s and self._state == "away":
            self._scorer.start()
            self.joins += 1
            self._state, self._next_s = "here", now_s + self._chance.uniform(*STAYS_S)
        elif now_s >= self._next_s and self._scorer.pulse.phase is not None:
            if self._chance.random() < KILLED_SHARE:
                self.kills += 1
                self._scorer.end(signal.SIGKILL)
                self._away()
            else:
                self._scorer.tell(signal.SIGTERM)
                self._state = "leaving"

    def _ended(self, code: int) -> None:
        self.codes.append(code)
        self._away()

    def _away(self) -> None:
        self._state = "away"
        self._next_s = time.monotonic() + self._chance.uniform(*AWAY_S)

    def stay(self) -> None:
        """Be here, from now on."""
        while self._state != "here":
            self._next_s = 0.0
            self.look()
            time.sleep(0.01)

    def leave(self) -> None:
        """In order, for good."""
        if self._state == "here":
            self._scorer.begun()
            self._ended(self._scorer.end(signal.SIGTERM))
        while self._state == "leaving":
            self.look()
            time.sleep(0.01)


def storm(seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Let them come and go, and give the figures."""
    torch.set_num_threads(1)  # forked children must not inherit a pool of threads
    chance, tested = random.Random(seed), torture.commit()
    with Broker() as broker:
        topics = torture.topics_of(broker, PARTITIONS, folder / "topics")
        told = torture.options(broker, topics)
        producer = fork(
            lambda: torture.produce(broker, topics, PARTITIONS, EVENTS_PER_S), folder / "producer"
        )
        guests = []
        for number in range(MEMBERS):
            name = {"group_instance_id": f"member-{number}"} if number % 2 else {}
            guests.append(Guest(Scorer(told | name, folder / f"member-{number}"), chance))
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            for one in guests:
                one.look()
            time.sleep(0.01)
        torture.stop(producer)
        for one in guests[:2]:
            one.stay()
        torture.wait_until_done(broker, topics, PARTITIONS)
        for one in guests:
            one.leave()
        result = torture.verdict(broker, topics, PARTITIONS)
    codes = [code for one in guests for code in one.codes]
    return {
        "seconds": seconds,
        "seed": seed,
        "commit": tested,
        "joins": sum(one.joins for one in guests),
        "killed": sum(one.kills for one in guests),
        "left": len(codes),
        "left_with_another_code_than_0": sum(code != 0 for code in codes),
        **result,
    }


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stream-dagmm-storm-"))
    result = storm(said.seconds, said.seed, folder)
    text = json.dumps(result, indent=2)
    print(text)
    if said.out is not None:
        said.out.write_text(text + "\n")
    if result["differences"] or result["left_with_another_code_than_0"]:
        sys.exit(f"the output differs, or a member could not leave; logs: {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

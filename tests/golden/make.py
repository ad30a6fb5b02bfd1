"""Writes the golden files of the present state format: `python -m tests.golden.make`.

To be run once a format, when it is released. The files of a released format are never written
again: they show that what users saved is still read.
"""

import json
from pathlib import Path

from stream_dagmm.arithmetic import Floats
from stream_dagmm.stream import STATE_FORMAT, BlockDetector
from tests.detectors import DETECTORS
from tests.streams import Event, mixed

FOLDER = Path(__file__).parent
LEARNED = 60
SCORED = 40


def learned_events() -> list[Event]:
    """What a golden detector had learned; never changed, since files were released."""
    return mixed(LEARNED, seed=7)


def later_events() -> list[Event]:
    """What it then scores and learns."""
    return [*mixed(SCORED, seed=8), {}, {"amount": 1e300, "new": "text"}]


def scores_after(detector: BlockDetector) -> Floats:
    """Scores of the later events, each before it is learned."""
    return detector.score_learn_many(later_events())


def checkpoint_of(name: str, state_format: int = STATE_FORMAT) -> Path:
    """Where the saved detector stands."""
    return FOLDER / f"{name}-state-{state_format}.ckpt"


def write(name: str) -> None:
    """Saves one detector, and beside it what it scores and where that was found."""
    detector = DETECTORS[name](max_features=64)
    detector.learn_many(learned_events())
    path = checkpoint_of(name)
    detector.save(path)
    record = {
        "detector": type(detector).__name__,
        "fingerprint": detector.fingerprint(),
        "scores_of_the_saved": detector.score_many(later_events()).tolist(),
        "scores": scores_after(detector).tolist(),
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    """Writes all files of the present format."""
    for name in DETECTORS:
        write(name)
        print(f"{checkpoint_of(name).name}: {checkpoint_of(name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

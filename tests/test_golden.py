"""Every state format that was ever released is read, or refused with the way out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stream_dagmm
from stream_dagmm import checkpoint
from stream_dagmm.stream import STATE_FORMAT, BlockDetector
from tests.detectors import DETECTORS
from tests.golden.make import FOLDER, checkpoint_of, later_events, scores_after

RELEASED = range(1, STATE_FORMAT + 1)
RECORDS = sorted(FOLDER.glob("*-state-*.json"))


def test_every_released_format_has_a_file_of_every_detector_of_its_time() -> None:
    """The detectors of today have one in the newest format; every older format has some."""
    assert all(checkpoint_of(name).exists() for name in DETECTORS)
    for state_format in RELEASED:
        assert list(FOLDER.glob(f"*-state-{state_format}.json")), state_format
    assert all(record.with_suffix(".ckpt").exists() for record in RECORDS)


def detector_of(record: dict[str, Any]) -> type[BlockDetector]:
    kind: type[BlockDetector] = getattr(stream_dagmm, record["detector"])
    return kind


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_golden_detector_is_read_and_scores_as_it_did_or_is_refused(path: Path) -> None:
    """To the bit where versions, instruction set and threads are those of then. Elsewhere the
    first block's scores are by the saved model alone, while later ones also hold what was learned
    from last bits that differ."""
    record = json.loads(path.read_text())
    try:
        detector = detector_of(record).load(path.with_suffix(".ckpt"))
    except ValueError as refusal:
        assert not path.stem.endswith(f"-{STATE_FORMAT}")
        assert "; " in str(refusal)
        return
    scores = detector.score_many(later_events())
    by_the_saved_model = np.array(record["scores_of_the_saved"])
    np.testing.assert_allclose(scores, by_the_saved_model, rtol=1e-9, atol=1e-9)
    found = scores_after(detector)
    if detector.fingerprint() == record["fingerprint"]:
        assert scores.tolist() == record["scores_of_the_saved"]
        assert found.tolist() == record["scores"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_golden_file_is_small_and_whole(path: Path) -> None:
    state = checkpoint.read(path.with_suffix(".ckpt"))
    assert isinstance(state, dict)
    assert state["detector"] == json.loads(path.read_text())["detector"]
    assert path.with_suffix(".ckpt").stat().st_size < 200_000

"""Every choice of `--detector` is a detector, and every detector is a choice."""

from typing import get_args

import stream_dagmm
from stream_dagmm.stream import BlockDetector
from stream_dagmm_connectors.detector_names import DETECTORS
from stream_dagmm_connectors.settings import DetectorName


def test_the_choices_are_the_detectors_of_the_package() -> None:
    exported = {getattr(stream_dagmm, name) for name in stream_dagmm.__all__}
    kinds = {kind for kind in exported if issubclass(kind, BlockDetector)}
    assert {getattr(stream_dagmm, name) for name in DETECTORS.values()} == kinds
    assert set(get_args(DetectorName)) == DETECTORS.keys()


def test_every_detector_can_be_had_with_no_arguments() -> None:
    for name in DETECTORS.values():
        assert getattr(stream_dagmm, name)().score_one({"a": 1.0}) == 0.0

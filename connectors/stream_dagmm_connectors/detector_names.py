"""The detectors by the names of `--detector`, made with what was said of them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, cast

from stream_dagmm_connectors.scoring import Detector
from stream_dagmm_connectors.settings import DetectorName, ScoringSettings

DETECTORS: dict[DetectorName, str] = {
    "dagmm": "StreamDAGMM",
    "gaussian-mixture": "GaussianMixture",
    "gmvae": "StreamGMVAE",
    "glgae": "StreamGLGAE",
    "vae": "StreamVAE",
    "autoencoder": "StreamAutoencoder",
    "pca": "StreamPCA",
}
"""Where each choice of `--detector` is found in `stream_dagmm`."""


def detector_of(settings: ScoringSettings, model: Path | None = None) -> Detector:
    """The detector that was asked for; `ValueError` names an argument that it does not take."""
    kind = _detector_class(settings.detector)
    said = settings.detector_arguments()
    allowed = inspect.signature(kind).parameters
    unknown = sorted(set(said) - set(allowed))
    if unknown:
        raise ValueError(
            f"detector {settings.detector} takes no {', '.join(unknown)}; expected some of "
            + ", ".join(allowed)
        )
    if model is None:
        return cast("Detector", kind(**said))
    if said:
        raise ValueError(f"--model brings its own {', '.join(said)}; leave them out")
    return cast("Detector", kind.load(model))


def _detector_class(name: DetectorName) -> Any:
    # Here and not at the top: torch takes seconds, and wrong options should be told at once.
    import stream_dagmm

    return getattr(stream_dagmm, DETECTORS[name])

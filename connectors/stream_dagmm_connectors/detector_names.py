"""The detectors by the names of `--detector`, made with what was said of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from stream_dagmm_connectors.scoring import Detector
from stream_dagmm_connectors.settings import HALF_SPACE_TREES, DetectorName, ScoringSettings

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
    said = settings.detector_arguments()
    if model is None:
        return made(settings.detector, said)
    kind = _class_that_takes(settings.detector, said)
    if said:
        raise ValueError(f"--model brings its own {', '.join(said)}; leave them out")
    return cast("Detector", kind.load(model))


def made(name: DetectorName, said: Mapping[str, Any]) -> Detector:
    """A detector with these arguments; `ValueError` names one that it does not take."""
    return cast("Detector", _class_that_takes(name, said)(**said))


def contestant(name: str, seed: int, said: Mapping[str, Any]) -> Detector:
    """One of `compare`'s, with further arguments."""
    if name != HALF_SPACE_TREES:
        return made(cast("DetectorName", name), {"seed": seed, **said})
    from river import anomaly, compose, preprocessing

    numbers = compose.SelectType(int, float)
    trees = anomaly.HalfSpaceTrees(seed=seed)
    return cast("Detector", numbers | preprocessing.MinMaxScaler() | trees)


def _class_that_takes(name: DetectorName, said: Mapping[str, Any]) -> Any:
    kind = _detector_class(name)
    allowed = inspect.signature(kind).parameters
    unknown = sorted(set(said) - set(allowed))
    if unknown:
        raise ValueError(
            f"detector {name} takes no {', '.join(unknown)}; expected some of {', '.join(allowed)}"
        )
    return kind


def _detector_class(name: DetectorName) -> Any:
    # Here and not at the top: torch takes seconds, and wrong options should be told at once.
    import stream_dagmm

    return getattr(stream_dagmm, DETECTORS[name])

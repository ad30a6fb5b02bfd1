"""What is measured: ours and its parts, simple rules, and the streaming detectors of others.

All start cold, see no label, and score an event before they learn it; "label-clean" MemStream
alone is told which rows of the stream are normal, and stands outside the ranks.
"""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from river import anomaly, preprocessing

from stream_dagmm import (
    StreamAutoencoder,
    StreamDAGMM,
    StreamGLGAE,
    StreamGMVAE,
    StreamPCA,
    StreamVAE,
)
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import blocks, controls, memstream, pysad_peers
from tests.benchmarks.streams import Stream

SLOW_ROWS = 10_000


class Scored(NamedTuple):
    """What a run gives."""

    scores: Floats
    seconds: float
    """Process time of scoring and learning; preparing the events is free of charge."""
    versions: dict[str, str]


Run = Callable[[Stream, int], Scored]


class Method(NamedTuple):
    """A detector, and what may be asked of it."""

    run: Run
    by_chance: bool = True
    """Whether a seed changes anything."""
    slow: bool = False
    """Whether it takes over 5 ms per event: then `SLOW_ROWS` events and one seed."""
    cold: bool = True
    module: str = ""
    """The one of this package that it is; what was measured of it counts until that changes."""


def ours(make: Callable[[int], Any], module: str = "detectors/dagmm") -> Method:
    """A detector of this package reads the events as they come."""

    def run(stream: Stream, seed: int) -> Scored:
        return timed(lambda: np.asarray(make(seed).score_learn_many(stream.events)), "torch")

    return Method(run, module=module)


def river(make: Callable[[int], Any], by_chance: bool = True) -> Method:
    """A detector of River, or one that works like it, reads dictionaries."""

    def run(stream: Stream, seed: int) -> Scored:
        events, rows = stream.dictionaries, stream.rows
        return timed(lambda: controls.scores(make(seed), events, rows), "river")

    return Method(run, by_chance)


def in_blocks(make: Callable[[int, int], blocks.Learner], by_chance: bool = True) -> Method:
    """A learner of blocks is made for a width and a seed."""

    def run(stream: Stream, seed: int) -> Scored:
        rows = stream.rows
        return timed(lambda: blocks.scores(make(rows.shape[1], seed), rows))

    return Method(run, by_chance)


def of_pysad(name: str, slow: bool = False) -> Method:
    """A detector of PySAD reads rows standardised by what came before them."""

    def run(stream: Stream, seed: int) -> Scored:
        return Scored(*pysad_peers.scored(name, seed, standardised(stream.rows)))

    return Method(run, slow=slow)


def memstream_cold(stream: Stream, seed: int) -> Scored:
    """The first memory is whatever comes first."""
    rows = stream.rows
    return timed(lambda: memstream.cold(rows, stream.first, seed, memstream.EPOCHS), "torch")


def memstream_label_clean(stream: Stream, seed: int) -> Scored:
    """The first memory is known to be normal."""
    rows, normal = stream.rows, stream.rows[~stream.labels]
    epochs = memstream.EPOCHS
    return timed(lambda: memstream.label_clean(rows, normal, seed, epochs), "torch")


def timed(found: Callable[[], Floats], *packages: str) -> Scored:
    """What is found, with the process time that it took and the versions of the packages."""
    before = time.process_time()
    scores = found()
    seconds = time.process_time() - before
    return Scored(scores, seconds, {name: version(name) for name in ("numpy", *packages)})


def standardised(rows: Floats) -> Floats:
    """Rows [B, D] in standard deviations of the rows before them, block by block."""
    moments, found = blocks.Moments(rows.shape[1]), np.zeros_like(rows)
    for block in blocks.blocks(len(rows)):
        if block.start >= 2:
            found[block] = moments.standardise(rows[block])
        moments.learn(rows[block])
    return found


METHODS: dict[str, Method] = {
    "StreamDAGMM": ours(controls.CONTROLS["StreamDAGMM"]),
    "StreamDAGMM, untrained": ours(controls.CONTROLS["  untrained"]),
    "StreamDAGMM, neural part alone": ours(controls.CONTROLS["  neural part alone"]),
    "StreamDAGMM, faithful": ours(lambda seed: StreamDAGMM(seed=seed, faithful=True, floor=False)),
    "GaussianMixture(1)": ours(
        controls.CONTROLS["GaussianMixture(1)"], "detectors/gaussian_mixture"
    )._replace(by_chance=False),
    "z-score norm": river(controls.CONTROLS["z-score norm"], by_chance=False),
    "reservoir distance": in_blocks(blocks.ReservoirDistance),
    "PCA residual": in_blocks(lambda width, _: blocks.PrincipalResidual(width), by_chance=False),
    "denoising autoencoder": in_blocks(blocks.DenoisingAutoencoder),
    "HalfSpaceTrees": river(controls.CONTROLS["HalfSpaceTrees, min-max scaled"]),
    "LODA": river(controls.CONTROLS["LODA, standardised"]),
    "OneClassSVM": river(
        lambda _: preprocessing.StandardScaler() | anomaly.OneClassSVM(), by_chance=False
    ),
    "xStream": of_pysad("xStream"),
    "RRCF": of_pysad("RobustRandomCutForest", slow=True),
    "MemStream, cold": Method(memstream_cold),
    "MemStream, label-clean": Method(memstream_label_clean, cold=False),
}
"""Ours first, then what is simple, then what is published."""

FAMILY: dict[str, Method] = {
    "StreamPCA": ours(lambda seed: StreamPCA(seed=seed), "detectors/pca"),
    "StreamAutoencoder": ours(lambda seed: StreamAutoencoder(seed=seed), "detectors/autoencoder"),
    "StreamVAE": ours(lambda seed: StreamVAE(seed=seed), "detectors/vae"),
    "StreamGMVAE": ours(lambda seed: StreamGMVAE(seed=seed), "detectors/gmvae"),
    "StreamGLGAE": ours(lambda seed: StreamGLGAE(seed=seed), "detectors/glgae"),
}
"""The other detectors of the package: measured where they are named, and outside the ranks."""

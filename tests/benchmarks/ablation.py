"""`make bench-ablation DATA=folder`: what each mechanism of `StreamDAGMM` is worth.

The quality benchmark's streams and protocol, with one mechanism switched off at a time: by an
argument of the constructor where there is one, else by a name of a module that is set to another
value in this process for the while of a run. `SWITCHES` is all there is to change when the detector
changes. One JSON line per stream, switch and seed; `--suite held-out` takes those of
`held_out`, and has results of its own.
"""

import argparse
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from stream_dagmm import StreamDAGMM
from stream_dagmm.arithmetic import Floats
from stream_dagmm.dagmm_model import TERMS, DagmmModel
from tests.benchmarks import held_out, kept, quality, streams, tables
from tests.benchmarks.fingerprints import code, commit
from tests.benchmarks.peers import ours
from tests.benchmarks.streams import Stream
from tests.threads import threads

RESULTS = {
    "quality": kept.RESULTS / "ablation.jsonl",
    "held-out": kept.RESULTS / "ablation_held_out.jsonl",
}
SEEDS = 3
WHOLE = "everything"


class Switch(NamedTuple):
    """How a mechanism is taken away."""

    arguments: Mapping[str, Any] = {}
    """Of the constructor."""
    names: Mapping[str, Any] = {}
    """"module:name" or "module:class.name" below `stream_dagmm`, to the value that it takes."""


def score_without(*dropped: str) -> Switch:
    """The sum without some of its terms, for the gate as well."""
    whole = DagmmModel._terms

    def terms(
        model: DagmmModel, rows: Floats, levels: Floats, *measured: Any
    ) -> tuple[Floats, Floats]:
        found, codes = whole(model, rows, levels, *measured)
        found[:, [TERMS.index(name) for name in dropped]] = 0.0
        return found, codes

    return Switch(names={"dagmm_model:DagmmModel._terms": terms})


SWITCHES: dict[str, Switch] = {
    WHOLE: Switch(),
    "gate": Switch(names={"gate:STRANGE": np.inf, "gate:FAR": np.inf}),
    "shorter memory": Switch(names={"dagmm_model:LEFT_AFTER_DRIFT": 1.0}),
    "ordinary steps": Switch(names={"innovation:STEP": -1.0}),
    "density": score_without("density"),
    "innovation": score_without("innovation"),
    "residual": score_without("residual"),
    "energy": score_without("energy"),
    "joint": score_without("joint"),
    "several over columns": Switch(names={"joint:MOST_COMPONENTS": 1}),
    "echo": Switch(names={"echo:POWER": 1e9}),
    "copies": Switch(names={"gate:ALIKE": np.inf}),
    "beyond": score_without("beyond"),
    "residual and energy": score_without("residual", "energy"),
    "training": Switch({"learning_rate": 0.0}),
    "trimming": Switch(names={"objectives:TRUSTED": 1.0, "deep_mixture:TRUSTED": 1.0}),
    "E-steps": Switch(names={"deep_mixture:EM_STEPS": 0}),
    "publishing": Switch(names={"deep_mixture:PUBLISH_EVERY": 10**9}),
    "several over codes": Switch({"n_components": 1}),
    "short first blocks": Switch(names={"deep_mixture:YOUNG": 0}),
    "forgetting": Switch({"half_life": np.inf}),
}
"""What is switched off, to how."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and keep the table."""
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("folder", type=Path, nargs="?", help="of the streams of the quality suite")
    found.add_argument("--suite", choices=RESULTS, default="quality")
    found.add_argument("--streams", nargs="+", help="all unless named", metavar="NAME")
    found.add_argument("--switches", nargs="+", choices=SWITCHES, default=list(SWITCHES))
    found.add_argument("--seeds", type=int, default=SEEDS, help="0 up to one less than this")
    found.add_argument("--rows", type=int, default=streams.ROWS, help="of a stream; 0: all")
    found.add_argument("--results", type=Path, help="file of JSON lines")
    given = found.parse_args(arguments)
    given.results = given.results or RESULTS[given.suite]
    known, chosen = of_suite(given)
    with threads(1):
        measure(given, chosen)
    text = report(quality.read(given.results), given.rows, known)
    kept.keep(text, given.results.with_suffix(".md"), __file__, arguments)


def of_suite(given: argparse.Namespace) -> tuple[list[str], Iterable[Stream]]:
    """Names of all its streams, and those to run; none without a folder."""
    if given.suite == "held-out":
        given.rows, names = held_out.WHOLE, chain(*held_out.GROUPS.values())
        return list(names), held_out.every(given.streams)
    chosen = streams.every(given.folder, given.streams, given.rows) if given.folder else ()
    return [plan.name for plan in streams.PLANS], chosen


def measure(given: argparse.Namespace, chosen: Iterable[Stream]) -> None:
    """Append a line for every run that has none; the whole is run for any switch."""
    done = {quality.key(line) for line in quality.read(given.results)}
    at, module = commit(), code("detectors/dagmm")
    for stream in chosen:
        for name in dict.fromkeys((WHOLE, *given.switches)):
            for seed in range(given.seeds):
                wanted = {"stream": stream.name, "method": name, "seed": seed}
                wanted |= {"asked": given.rows, "code": module}
                if quality.key(wanted) in done:
                    continue
                line = wanted | run(stream, SWITCHES[name], seed) | {"commit": at}
                quality.append(given.results, line)
                said = (f"{stream.name:17}", f"{name:20}", seed, line["auroc"], line["ap"])
                print(*said, file=sys.stderr, flush=True)


def run(stream: Stream, switch: Switch, seed: int) -> dict[str, Any]:
    """The figures of a stream without a mechanism."""
    method = ours(lambda seed: StreamDAGMM(seed=seed, **switch.arguments))
    with set_to(switch.names):
        return quality.measured(stream, method, seed)


@contextmanager
def set_to(names: Mapping[str, Any]) -> Iterator[None]:
    """Names of modules or classes set to other values, for the while of a block; AttributeError
    for one that is not there."""
    before: list[tuple[Any, str, Any]] = []
    try:
        for place, value in names.items():
            module, path = place.split(":")
            owner: Any = importlib.import_module(f"stream_dagmm.{module}")
            *parents, name = path.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            before.append((owner, name, getattr(owner, name)))
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def report(lines: Sequence[dict[str, Any]], asked: int, known: Sequence[str]) -> str:
    """One row per switch: what the whole has that the rest has not."""
    lines = [line for line in lines if line["asked"] == asked and line["stream"] in known]
    if not lines:
        return "no results yet"
    fields = tables.Line._fields
    own = [line for line in lines if line["code"] == lines[-1]["code"]]
    cells = tables.cells(
        [tables.Line(**{field: line[field] for field in fields}) for line in own], list(SWITCHES)
    )
    head = (
        "without",
        "streams",
        "AUROC",
        "worth",
        "AP",
        "worth ",
        "p",
        "most",
        "least",
        "µs/event",
    )
    rows = [row(name, cells[WHOLE], cells[name]) for name in cells]
    return tables.markdown(head, rows) + (
        "\n\nWorth: everything less what is left without it, mean over streams and seeds; p: "
        "Wilcoxon over streams, AP. Most, least: where it is worth most and least, AP."
    )


def row(name: str, whole: Mapping[str, tables.Cell], left: Mapping[str, tables.Cell]) -> list[str]:
    """Means, what the mechanism is worth, and where."""
    names = [stream for stream in left if stream in whole]
    cost = np.mean([left[stream].mean("us_per_event") for stream in names])
    values = {f: np.array([left[s].mean(f) for s in names]) for f in ("auroc", "ap")}
    worth = {f: np.array([whole[s].mean(f) for s in names]) - values[f] for f in values}
    cells = [name if name == WHOLE else f"- {name}", f"{len(names)}"]
    for figure in values:
        said = "" if name == WHOLE else f"{np.nanmean(worth[figure]):+.4f}"
        cells += [f"{np.nanmean(values[figure]):.4f}", said]
    if name == WHOLE:
        return [*cells, "", "", "", f"{cost:.0f}"]
    order = np.argsort(worth["ap"])
    ends = [f"{names[place]} {worth['ap'][place]:+.3f}" for place in (order[-1], order[0])]
    return [*cells, _p(worth["ap"]), *ends, f"{cost:.0f}"]


def _p(worth: Floats) -> str:
    worth = worth[~np.isnan(worth)]
    return f"{stats.wilcoxon(worth).pvalue:.2g}" if np.any(worth) else ""


if __name__ == "__main__":
    main()

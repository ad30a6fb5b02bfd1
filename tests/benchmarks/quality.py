"""`make bench-quality DATA=folder`: how well anomalies are found, beside what others find.

Cold start, no labels, each event scored before it is learned; the scores from the 512th event on
count (from the 64th where a stream has under 3,000). One JSON line per stream, method and seed goes
to the results as the run ends; what has its line already is not run again, so an interrupted run
goes on where it was. At the end the tables of all lines are printed and kept, in Markdown.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_dagmm.arithmetic import Floats
from tests.benchmarks import findings, kept, picture, streams, tables
from tests.benchmarks.fingerprints import code, commit
from tests.benchmarks.peers import FAMILY, METHODS, SLOW_ROWS, Method, Scored
from tests.benchmarks.streams import Bools, Stream
from tests.threads import threads

RESULTS = kept.RESULTS / "quality.jsonl"
SEEDS = 5
WINDOW, LEAST_OF_A_CLASS = 1_000, 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and keep the tables."""
    options = parser(__doc__, RESULTS)
    options.add_argument("folder", type=Path, nargs="?", help="of streams; without: tables only")
    options.add_argument("--rows", type=int, default=streams.ROWS, help="of a stream; 0: all")
    options.add_argument("--picture", type=Path, help="quality against cost, an SVG to write")
    given = options.parse_args(arguments)
    if given.folder is not None:
        measure(given, streams.every(given.folder, given.streams, given.rows))
    lines, known = read(given.results), [plan.name for plan in streams.PLANS]
    text = report(lines, given.rows, known)
    kept.keep(text, given.results.with_suffix(".md"), __file__, arguments)
    if given.picture is not None:
        found, names = of_newest(lines, given.rows, known)
        given.picture.write_text(picture.svg(found, names, "StreamDAGMM"))


def parser(description: str | None, results: Path) -> argparse.ArgumentParser:
    """What can be said on every command line that measures methods on streams."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--methods", nargs="+", help="all unless named", metavar="NAME")
    found.add_argument("--family", action="store_true", help="the family's other detectors too")
    found.add_argument("--streams", nargs="+", help="all unless named", metavar="NAME")
    found.add_argument("--seeds", type=int, default=SEEDS, help="0 up to one less than this")
    found.add_argument("--results", type=Path, default=results, help="file of JSON lines")
    return found


def offered() -> dict[str, Method]:
    """All that can be measured, the family last."""
    return METHODS | FAMILY


def named(given: argparse.Namespace) -> list[str]:
    """The methods to measure."""
    return given.methods or list(offered() if given.family else METHODS)


def measure(given: argparse.Namespace, chosen: Iterable[Stream]) -> None:
    """Append a line for every run of the chosen streams that has none."""
    for name in given.methods or []:
        if name not in offered():
            sys.exit(f"no method is called {name!r}; choose from {'; '.join(offered())}")
    with threads(1):
        _measure(given, chosen)


def _measure(given: argparse.Namespace, chosen: Iterable[Stream]) -> None:
    done = {key(line) for line in read(given.results)}
    failed: set[str] = set()
    # What this process has imported, whatever becomes of the files meanwhile.
    codes, at = {name: code(method.module) for name, method in offered().items()}, commit()
    for stream in chosen:
        for name, seed in runs(named(given), given.seeds):
            wanted = {"stream": stream.name, "method": name, "seed": seed, "asked": given.rows}
            wanted["code"] = codes[name]
            if key(wanted) in done or name in failed:
                continue
            try:
                line = wanted | measured(stream, offered()[name], seed) | {"commit": at}
            except (OSError, subprocess.CalledProcessError) as error:
                failed.add(name)  # the environment of its own could not be made
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            append(given.results, line)
            said = (f"{stream.name:15}", f"{name:32}", seed, line["auroc"], line["ap"])
            print(*said, file=sys.stderr, flush=True)


def runs(names: Sequence[str], seeds: int) -> Iterator[tuple[str, int]]:
    """Each method with each seed that can change something and is not too dear."""
    for name in names:
        method = offered()[name]
        for seed in range(seeds if method.by_chance and not method.slow else 1):
            yield name, seed


def measured(stream: Stream, method: Method, seed: int) -> dict[str, Any]:
    """The figures of a run."""
    given = stream.head(SLOW_ROWS) if method.slow else stream
    found = method.run(given, seed)
    return figures(given, found) | {"versions": found.versions}


def figures(stream: Stream, found: Scored) -> dict[str, Any]:
    """Over the events that count; None where they are of one class or a score is no number."""
    labels, scores = stream.labels[stream.first :], found.scores[stream.first :]
    not_finite = int((~np.isfinite(scores)).sum())
    both = labels.any() and not labels.all() and not not_finite
    return {
        "rows": len(stream),
        "not_finite": not_finite,
        "auroc": _rounded(roc_auc_score(labels, scores)) if both else None,
        "ap": _rounded(average_precision_score(labels, scores)) if both else None,
        "windowed_auroc": windowed_auroc(labels, scores) if both and stream.ordered else None,
        "us_per_event": round(found.seconds / len(stream) * 1e6, 2),
    }


def windowed_auroc(labels: Bools, scores: Floats) -> float | None:
    """Mean AUROC of the windows that hold enough of both classes; None where there is none."""
    found = []
    for start in range(0, len(labels), WINDOW):
        window = slice(start, start + WINDOW)
        counts = np.bincount(labels[window], minlength=2)
        if counts.min() >= LEAST_OF_A_CLASS:
            found.append(roc_auc_score(labels[window], scores[window]))
    return _rounded(float(np.mean(found))) if found else None


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two lines the same run."""
    return tuple(line[name] for name in ("stream", "method", "seed", "asked", "code"))


def read(path: Path) -> list[dict[str, Any]]:
    """The lines; one that a crash has cut short is left out."""
    found = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(text))
        except json.JSONDecodeError:
            print(f"{path}: a line is cut short and left out: {text[:60]!r}", file=sys.stderr)
    return found


def append(path: Path, line: dict[str, Any]) -> None:
    """One line more, at the beginning of a line even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_short = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    with path.open("a") as file:
        file.write("\n" * cut_short + json.dumps(line) + "\n")


def report(lines: Sequence[dict[str, Any]], asked: int, known: Sequence[str]) -> str:
    """The tables, over the streams known, and what must be said beside them."""
    found, names = of_newest(lines, asked, known)
    if not names:
        return "no results yet"
    cold = [name for name, method in METHODS.items() if method.cold]
    missing = [name for name in METHODS if name not in found]
    notes = [f"Behind by more than {findings.FAR_BEHIND}: {said}" for said in behind(found, cold)]
    notes += findings.best_others(found, "StreamDAGMM", cold)
    notes += findings.steadiness(found, "StreamDAGMM", "StreamDAGMM, untrained")
    notes += findings.beside(found, "StreamDAGMM", list(FAMILY))
    notes += [f"Not measured: {', '.join(missing)}"] if missing else []
    parts = [tables.summary(found, names, cold), tables.by_stream(found, names)]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)])


def of_newest(
    lines: Sequence[dict[str, Any]], asked: int, known: Sequence[str]
) -> tuple[tables.Cells, list[str]]:
    """What was measured of the newest code of each method, and the streams that it is of."""
    lines = [line for line in lines if line["asked"] == asked]
    newest = {line["method"]: line["code"] for line in lines}
    own = [
        tables.Line(**{name: line[name] for name in tables.Line._fields})
        for line in lines
        if line["code"] == newest[line["method"]] and line["stream"] in known
    ]
    found = tables.cells(own, list(offered()))
    return found, [name for name in known if any(name in cell for cell in found.values())]


def behind(found: tables.Cells, cold: Sequence[str]) -> list[str]:
    """Where ours falls short."""
    return findings.behind(found, "StreamDAGMM", "z-score norm", cold)


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 5)


if __name__ == "__main__":
    main()

"""`make bench-synthetic`: the quality benchmark on streams that need no folder.

15 made up from a seed (`synthetic_streams`) and 7 outlier sets of bundled data (`bundled_sets`), by
the protocol of `quality`, all rows of each. They need no folder of data. Resumable as that one is.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from tests.benchmarks import bundled_sets, kept, quality, synthetic_streams
from tests.benchmarks.streams import Stream

RESULTS = kept.RESULTS / "held_out.jsonl"
METHODS = [
    "StreamDAGMM",
    "GaussianMixture(1)",
    "z-score norm",
    "reservoir distance",
    "HalfSpaceTrees",
]
SEEDS = 2
WHOLE = 0

GROUPS = {
    "Made up": list(synthetic_streams.KINDS),
    "Bundled sets": list(bundled_sets.KINDS),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and keep the tables of both groups."""
    options = quality.parser(__doc__, RESULTS)
    options.add_argument("--tables", action="store_true", help="of what there is; run nothing")
    options.set_defaults(methods=METHODS, seeds=SEEDS, rows=WHOLE)
    given = options.parse_args(arguments)
    if not given.tables:
        quality.measure(given, every(given.streams))
    lines = quality.read(given.results)
    parts = [f"## {title}\n\n{quality.report(lines, WHOLE, n)}" for title, n in GROUPS.items()]
    kept.keep("\n\n".join(parts), given.results.with_suffix(".md"), __file__, arguments)


def every(names: Sequence[str] | None = None) -> Iterator[Stream]:
    """The streams of the given names, or all, one after the other."""
    known = list(chain(*GROUPS.values()))
    for name in names or []:
        if name not in known:
            raise ValueError(f"no stream is called {name!r}; choose from {', '.join(known)}")
    for name in names or known:
        in_group = bundled_sets if name in GROUPS["Bundled sets"] else synthetic_streams
        yield in_group.made(name)


if __name__ == "__main__":
    main()

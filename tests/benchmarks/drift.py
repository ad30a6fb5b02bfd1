"""`python -m tests.benchmarks.drift`: how soon a change of scores is told, and how often wrongly.

Ours reads p-values of the scores (`calibration`), River's ADWIN and Page-Hinkley the scores
themselves, and ADWIN once more the same p-values. After 20,000 events each change is for good; the
median of 5 streams counts. False signals are of streams that are exchangeable, or wander (AR).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from river import drift as rivers
from scipy import signal

from stream_dagmm import calibration
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import kept
from tests.benchmarks.tables import markdown

STREAMS, BEFORE, AFTER, LONG = 5, 20_000, 8_000, 100_000

Random = np.random.Generator
Signals = npt.NDArray[np.int64]
"""The events at which a change was told."""
Method = Callable[[Floats], Signals]


def autoregressive(share: float) -> Callable[[Random, int], Floats]:
    """Normal scores of which each keeps a share of the one before."""

    def made(random: Random, count: int) -> Floats:
        steps = np.sqrt(1.0 - share**2) * random.normal(size=count + 2_000)
        return np.asarray(signal.lfilter([1.0], [1.0, -share], steps)[2_000:])

    return made


LAWS: dict[str, Callable[[Random, int], Floats]] = {
    "normal": lambda random, count: random.normal(size=count),
    "lognormal": lambda random, count: random.lognormal(size=count),
    "Student-t(2)": lambda random, count: random.standard_t(2, count),
    "1 % far off": lambda random, count: (
        random.normal(size=count) + 50.0 * (random.random(count) < 0.01)
    ),
    "AR(0.9)": autoregressive(0.9),
    "AR(0.99)": autoregressive(0.99),
}
CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "+0.5": lambda scores: scores + 0.5,
    "+1": lambda scores: scores + 1.0,
    "+20": lambda scores: scores + 20.0,
    "-1": lambda scores: scores - 1.0,
    "x 3": lambda scores: 3.0 * scores,
    "/ 3": lambda scores: scores / 3.0,
}


def ours(patience: float) -> Method:
    """Signals by p-values, with the past forgotten after each."""

    def signals(scores: Floats) -> Signals:
        past, found = calibration.initial(patience=patience), []
        for part in np.split(scores, range(64, len(scores), 64)):
            before = past.drifts
            _, past = calibration.p_values(past, part)
            found += [past.seen - 1] * (past.drifts > before)
        return np.array(found, dtype=np.int64)

    return signals


def of_river(make: Callable[[], rivers.ADWIN | rivers.PageHinkley]) -> Method:
    """Signals of one of River's, by the scores."""

    def signals(scores: Floats) -> Signals:
        detector, found = make(), []
        for event, score in enumerate(scores.tolist()):
            detector.update(score)  # type: ignore[no-untyped-call]
            found += [event] * detector.drift_detected
        return np.array(found, dtype=np.int64)

    return signals


def adwin_of_p(scores: Floats) -> Signals:
    """ADWIN by p-values."""
    p, _ = calibration.p_values(calibration.initial(patience=np.inf), scores)
    return of_river(rivers.ADWIN)(p)


METHODS: dict[str, Method] = {
    "ADWIN": of_river(rivers.ADWIN),
    "Page-Hinkley": of_river(rivers.PageHinkley),
    "ADWIN of p-values": adwin_of_p,
    "ours, patience 64": ours(64.0),
    "ours, patience 256": ours(256.0),
    "ours, patience 2,000": ours(2_000.0),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep the tables."""
    parser = kept.parser(__doc__, __file__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    given = parser.parse_args(arguments)
    methods = {name: METHODS[name] for name in given.methods}
    kept.keep("\n\n".join(parts(methods)), given.table, __file__, arguments)


def parts(methods: Mapping[str, Method]) -> Iterator[str]:
    """Titles and tables."""
    yield f"False signals in {LONG:,} events"
    rows = [[law, *(f"{wrong(law, m)}" for m in methods.values())] for law in LAWS]
    rows.append(["µs/event", *(f"{cost(m):.2f}" for m in methods.values())])
    yield markdown(("scores", *methods), rows)
    yield f"Events until the change is told (never: none of {AFTER:,})"
    for law in ("normal", "lognormal", "1 % far off"):
        rows = [[f"{law} {c}", *(delay(law, c, m) for m in methods.values())] for c in CHANGES]
        yield markdown(("change", *methods), rows)


def wrong(law: str, method: Method) -> int:
    """Signals where nothing changes."""
    return len(method(LAWS[law](np.random.default_rng(1), LONG)))


def delay(law: str, change: str, method: Method) -> str:
    """Median events from a change to the first signal after it."""
    found = []
    for seed in range(STREAMS):
        scores = LAWS[law](np.random.default_rng([2, seed]), BEFORE + AFTER)
        scores[BEFORE:] = CHANGES[change](scores[BEFORE:])
        signals = method(scores)
        found.append(next(iter(signals[signals >= BEFORE] - BEFORE), np.inf))
    return f"{median:,.0f}" if np.isfinite(median := float(np.median(found))) else "never"


def cost(method: Method) -> float:
    """Microseconds per event; of ours the p-values are the most, a `Drift` alone takes a sixth."""
    scores = np.random.default_rng(3).normal(size=LONG // 5)
    before = time.process_time()
    method(scores)
    return (time.process_time() - before) / len(scores) * 1e6


if __name__ == "__main__":
    main()

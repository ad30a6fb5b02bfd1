"""A folder of small streams, made up, in the form of the real ones."""

import gzip
from pathlib import Path
from typing import Any

import polars as pl


def written(folder: Path, name: str, count: int, **more: list[Any]) -> None:
    """One file: numbers `n` and `x`, a text `kind`, and an anomaly, far off, in every 8th row."""
    label = [int(n % 8 == 0) for n in range(count)]
    columns: dict[str, list[Any]] = {
        "n": list(range(count)),
        "x": [n % 5 + 50.0 * y for n, y in enumerate(label)],
        "kind": [("even", "odd")[n % 2] for n in range(count)],
    }
    table = pl.DataFrame(columns | {"label": label} | more)
    (folder / f"{name}.csv.gz").write_bytes(gzip.compress(table.write_csv().encode()))

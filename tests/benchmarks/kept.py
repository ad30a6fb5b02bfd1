"""Tables of the benchmarks, kept in `results/` below the command that made them."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def parser(description: str | None, module: str) -> argparse.ArgumentParser:
    """A command line on which it may be said where the table goes.

    module: the `__file__` of the benchmark; its table goes by its name.
    """
    found = argparse.ArgumentParser(description=description)
    table = RESULTS / f"{Path(module).stem}.md"
    found.add_argument("--table", type=Path, default=table, help="file of Markdown to write")
    return found


def keep(table: str, path: Path, module: str, arguments: Sequence[str] | None) -> None:
    """Print a table in Markdown and write it to a file, below the command that made it.

    arguments: of the command line; None: those of this process.
    """
    print(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"`{command(module, arguments)}`\n\n{table}\n")


def command(module: str, arguments: Sequence[str] | None) -> str:
    """What to type for it, with DATA for a folder: where that lies is no part of a result.

    >>> command("tests/benchmarks/drift.py", ["--methods", "ADWIN of p-values"])
    "python -m tests.benchmarks.drift --methods 'ADWIN of p-values'"
    """
    words = sys.argv[1:] if arguments is None else arguments
    said = ["DATA" if Path(word).is_dir() else word for word in words]
    return shlex.join(["python", "-m", f"tests.benchmarks.{Path(module).stem}", *said])

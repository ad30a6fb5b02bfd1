"""Whether a result is still of the code at hand."""

import ast
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import stream_dagmm

PACKAGE = Path(stream_dagmm.__file__).parent


def code(module: str) -> str:
    """A hash of a module of the package and of all that it imports from the package; "" of none."""
    if not module:
        return ""
    digest = hashlib.sha256()
    for path in sorted(reached(PACKAGE / f"{module}.py", set())):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def reached(path: Path, found: set[Path]) -> set[Path]:
    """The files of the package that one imports, itself included; added to those found so far."""
    if path not in found:
        found.add(path)
        for other in imported(path):
            reached(other, found)
    return found


def imported(path: Path) -> Iterator[Path]:
    """The modules of the package that a file names in its imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stream_dagmm"):
            places = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for place in places:
                file = PACKAGE.parent / (str(place).replace(".", "/") + ".py")
                if file.exists():
                    yield file


def commit() -> str:
    """The commit that is checked out, "+" after it where files differ from it."""
    said = ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty=+", "--abbrev=10"]
    found = subprocess.run(said, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"

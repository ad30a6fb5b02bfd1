"""The wheel holds two typed packages and nothing else."""

import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"stream_dagmm", "stream_dagmm_connectors"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built by the installed hatchling: needs no network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    run = subprocess.run(
        [*build, "--directory", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    [path] = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_the_only_top_level_names_are_the_two_packages(wheel: zipfile.ZipFile) -> None:
    top_level = {path.split("/")[0] for path in wheel.namelist()}
    assert {name for name in top_level if not name.endswith(".dist-info")} == PACKAGES


def test_both_packages_are_typed(wheel: zipfile.ZipFile) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.namelist())


def test_every_module_of_the_repository_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    folders = [ROOT / "stream_dagmm", ROOT / "connectors" / "stream_dagmm_connectors"]
    modules = {
        path.relative_to(folder.parent).as_posix()
        for folder in folders
        for path in folder.rglob("*.py")
    }
    assert modules
    assert modules <= set(wheel.namelist())


def test_the_command_and_the_licence_come_with_the_wheel(wheel: zipfile.ZipFile) -> None:
    entry_points = metadata(wheel, "entry_points.txt")
    assert "stream-dagmm = stream_dagmm_connectors.cli:main" in entry_points
    assert metadata(wheel, "licenses/LICENSE").startswith("BSD 3-Clause License")


def test_the_core_needs_no_broker_and_no_command_line(wheel: zipfile.ZipFile) -> None:
    headers = HeaderParser().parsestr(metadata(wheel, "METADATA"))
    needs = [line for line in headers.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0] for line in needs}
    assert names == {"narwhals", "numpy", "pydantic", "river", "safetensors", "scipy", "torch"}

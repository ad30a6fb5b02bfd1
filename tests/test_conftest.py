"""The rules of the test run itself, tried in a small test run of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")

OUTCOMES = '''
import pytest

@pytest.mark.needs("no-such-program")
def test_of_a_missing_program():
    """Never runs."""

@pytest.mark.xfail
def test_that_is_known_to_fail():
    raise ValueError("known")

def test_that_passes():
    """Nothing to do."""
'''
SKIPPED_MODULE = """
import pytest

pytest.importorskip("no_such_module")
"""
# Outside tests/, as the doctests of the packages are.
SKIPPED_DOCTEST = '''
"""
>>> 1 + 1  # doctest: +SKIP
3
"""
'''


def run_pytest(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "tests").mkdir()
    (folder / "package").mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = needs(*tools)\n")
    shutil.copy(CONFTEST, folder / "tests")
    (folder / "tests" / "test_outcomes.py").write_text(OUTCOMES)
    (folder / "tests" / "test_skipped_module.py").write_text(SKIPPED_MODULE)
    (folder / "package" / "promises.py").write_text(SKIPPED_DOCTEST)
    options = ["-q", "-rfEsx", "--doctest-modules", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors"],
        cwd=folder,
        env=os.environ | {"CI": ci, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def summary(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout.splitlines()[-1]


def failures(run: subprocess.CompletedProcess[str]) -> str:
    lines = run.stdout.splitlines()
    return "\n".join(line for line in lines if line.startswith(("FAILED", "ERROR")))


def test_a_skip_names_the_missing_program_and_passes_on_a_persons_machine(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, ci="false")
    assert run.returncode == 0, run.stdout
    assert "needs no-such-program, which is not installed" in run.stdout
    assert summary(run).startswith("1 passed, 4 skipped, 1 xfailed")


def test_every_kind_of_skip_is_a_failure_under_ci(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, ci="true")
    assert run.returncode == 1, run.stdout
    assert "a skip is a failure under CI=true: Skipped: needs no-such-program" in run.stdout
    assert "a skip is a failure under CI=true: Skipped: could not import" in run.stdout
    for place in ["test_outcomes.py", "test_skipped_module.py", "package/promises.py"]:
        assert place in failures(run)
    assert "skipped" not in summary(run)
    assert "1 passed, 1 xfailed" in summary(run)

"""A kept table says what made it, and nothing of where."""

import sys
from pathlib import Path

import pytest

from tests.benchmarks.kept import RESULTS, command, keep, parser

TABLES = (
    "detectors",
    "drift",
    "new_normal",
    "three_gaussians",
    "digits",
    "collapse",
    "explanations",
    "feedback",
    "held_out",
    "paper",
    "ablation",
    "ablation_held_out",
    "full_length",
    "quality",
)
"""What `make bench-detection` makes."""


def test_a_table_is_printed_and_kept_below_the_command_that_made_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "drift.md"
    keep("| a |", path, "drift.py", ["--methods", "ADWIN"])
    assert path.read_text() == "`python -m tests.benchmarks.drift --methods ADWIN`\n\n| a |\n"
    assert capsys.readouterr().out == "| a |\n"


def test_the_place_of_the_data_is_not_told(tmp_path: Path) -> None:
    words = [str(tmp_path), "--streams", "shuttle"]
    assert command("feedback.py", words).endswith("feedback DATA --streams shuttle")


def test_without_arguments_those_of_the_process_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["feedback.py", "--seeds", "1"])
    assert command("feedback.py", None) == "python -m tests.benchmarks.feedback --seeds 1"


def test_a_table_goes_by_the_name_of_its_benchmark_unless_said() -> None:
    found = parser("what it does", "drift.py")
    assert found.parse_args([]).table == RESULTS / "drift.md"
    assert found.parse_args(["--table", "elsewhere.md"]).table == Path("elsewhere.md")


@pytest.mark.parametrize("name", TABLES)
def test_each_table_of_detection_is_on_record_below_its_command_without_a_place(name: str) -> None:
    made_by, _, table = (RESULTS / f"{name}.md").read_text().partition("\n\n")
    assert made_by.startswith("`python -m tests.benchmarks.") and "\n|---" in table.replace(" ", "")
    assert " /" not in made_by

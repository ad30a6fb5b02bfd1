"""The runs that kill scorers and make members come and go, short; `make chaos` has long ones."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.chaos import JUDGED_FROM, complaints
from tests.connectors.kafka.pulse import PHASES

HERE = Path(__file__).parents[3]
TIMEOUT_S = 900


def run(module: str, file: Path, *words: str) -> dict[str, Any]:
    """In a process of its own, which forks."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *words, "--out", str(file)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    result: dict[str, Any] = json.loads(file.read_text())
    return result


@pytest.mark.needs("java", "mvn")
def test_25_kills_of_processes_that_really_start_change_no_byte(tmp_path: Path) -> None:
    result = run("chaos", tmp_path / "chaos.json", "--kills", "25", "--real-starts")
    assert sum(result["phases"].values()) == 25
    assert result["rows"] > 1_000 and result["differences"] == []


@pytest.mark.needs("java", "mvn")
def test_kills_of_scorers_with_the_other_client_change_no_byte(tmp_path: Path) -> None:
    result = run("chaos", tmp_path / "chaos.json", "--kills", "10", "--client", "confluent")
    assert sum(result["phases"].values()) == 10
    assert result["rows"] > 1_000 and result["differences"] == []


@pytest.mark.needs("java", "mvn")
def test_a_short_storm_of_members_changes_no_byte(tmp_path: Path) -> None:
    result = run("storm", tmp_path / "storm.json", "--seconds", "15")
    assert result["joins"] > 6
    assert result["rows"] > 1_000 and result["differences"] == []


def fine(**other: Any) -> dict[str, Any]:
    kills = {phase: JUDGED_FROM for phase in PHASES}
    result = {"phases": kills, "differences": [], "exit_codes": [0, 0]}
    return result | {"lives_that_committed_nothing": 0} | other


@pytest.mark.parametrize(
    "wrong",
    [
        {"differences": ["scored-0: 7 rows, 8"]},
        {"exit_codes": [0, 3]},
        {"phases": {phase: JUDGED_FROM for phase in PHASES} | {"revoke": 3}},
        {"lives_that_committed_nothing": JUDGED_FROM * len(PHASES) // 4},
    ],
)
def test_a_run_that_differs_or_missed_a_phase_or_mostly_idled_has_failed(
    wrong: dict[str, Any],
) -> None:
    assert complaints(fine()) == []
    assert len(complaints(fine(**wrong))) == 1

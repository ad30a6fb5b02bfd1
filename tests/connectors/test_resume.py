"""What a kill leaves behind, and what the same command makes of it."""

import random
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream_dagmm_connectors.cli import main
from tests.connectors.fakes import stream
from tests.connectors.processes import PLAIN, Process, process_of, wait_for, wait_until
from tests.connectors.reading import contents

DEFAULT = ["--detector", "dagmm"]  # of an option that is said twice the last counts
OFTEN = ["--checkpoint-every", "300"]
Outputs = tuple[str, str]
AS_FILES = ("scored.csv", "scored.csv.dead-letters.jsonl")
IN_PARTS: list[Outputs] = [
    ("scored.jsonl.gz", "dead.csv.gz"),
    ("scored.csv.zst", "dead.jsonl.zst"),
    ("scored.parquet", "dead.parquet"),
]


def words_of(directory: Path, source: Path, names: Outputs) -> list[str]:
    out, dead = (str(directory / name) for name in names)
    return ["replay", str(source), *PLAIN, "--out", out, "--dead-letter", dead, *OFTEN]


def started(directory: Path, source: Path, *options: str, names: Outputs = AS_FILES) -> Process:
    state = ["--resume", str(directory / "state")]
    return process_of(directory, *words_of(directory, source, names), *state, *options)


def outputs(directory: Path, names: Outputs = AS_FILES) -> Sequence[Any]:
    return [contents(directory / name) for name in names]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream of some steps."""
    path = tmp_path_factory.mktemp("source") / "events.jsonl"
    path.write_bytes(b"\n".join(stream(2500)) + b"\n")
    return path


def undisturbed(
    directory: Path, source: Path, *options: str, names: Outputs = AS_FILES
) -> Sequence[Any]:
    """The outputs of a run that nobody disturbed."""
    words = [*words_of(directory, source, names), *options]
    assert CliRunner().invoke(main, words).exit_code == 0
    return outputs(directory, names)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Any]:
    return undisturbed(tmp_path_factory.mktemp("whole"), source)


def test_killed_at_random_the_same_command_ends_with_the_same_bytes(
    source: Path, whole: Sequence[bytes], tmp_path: Path
) -> None:
    chance = random.Random(7)
    for share in (0.3, 0.7):
        process = started(tmp_path, source)
        size = int(len(whole[0]) * (share + chance.uniform(-0.1, 0.1)))
        wait_for(tmp_path / "scored.csv", size, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert started(tmp_path, source).wait() == 0
    assert outputs(tmp_path) == whole
    assert whole[1].count(b'"stage":"decode"') == 25


def test_killed_with_the_default_detector_the_same_command_ends_with_the_same_bytes(
    source: Path, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    whole = undisturbed(tmp_path / "whole", source, *DEFAULT)
    process = started(tmp_path, source, *DEFAULT, "--rate", "2000")
    wait_for(tmp_path / "scored.csv", len(whole[0]) // 2, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, (tmp_path / "said").read_text()
    assert len(outputs(tmp_path)[0]) < len(whole[0])
    assert started(tmp_path, source, *DEFAULT).wait() == 0, (tmp_path / "said").read_text()
    assert outputs(tmp_path) == whole


@pytest.mark.parametrize("names", IN_PARTS)
def test_killed_with_outputs_in_parts_the_same_command_ends_with_equal_rows(
    source: Path, tmp_path: Path, names: Outputs
) -> None:
    process = started(tmp_path, source, "--rate", "2000", names=names)
    third = f"{names[0]}/part-000003*"
    wait_until(lambda: any(tmp_path.glob(third)), process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, (tmp_path / "said").read_text()
    assert len(outputs(tmp_path, names)[0]) < 2500
    assert started(tmp_path, source, names=names).wait() == 0, (tmp_path / "said").read_text()
    (tmp_path / "whole").mkdir()
    resumed, other = outputs(tmp_path, names), undisturbed(tmp_path / "whole", source, names=names)
    assert [len(rows) for rows in resumed] == [2500, 25]
    assert resumed == other


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_saves_exits_130_and_goes_on_to_the_same_bytes(
    source: Path, whole: Sequence[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    process = started(tmp_path, source, "--rate", "1500")
    wait_for(tmp_path / "scored.csv", len(whole[0]) // 8, process)
    process.send_signal(number)
    code, said = process.wait(), (tmp_path / "said").read_bytes()
    assert code == 130, said
    assert b"the same command goes on from there" in said
    assert started(tmp_path, source).wait() == 0
    assert outputs(tmp_path) == whole


def test_a_second_run_of_the_same_command_is_refused_while_the_first_goes_on(
    source: Path, whole: Sequence[bytes], tmp_path: Path
) -> None:
    first = started(tmp_path, source, "--rate", "800")
    wait_for(tmp_path / "scored.csv", len(whole[0]) // 8, first)
    words = [*words_of(tmp_path, source, AS_FILES), "--resume", str(tmp_path / "state")]
    for more in ([], ["--fresh"]):
        refused = CliRunner().invoke(main, [*words, *more])
        assert (refused.exit_code, "another run keeps its state in" in refused.stderr) == (2, True)
    assert first.wait() == 0, (tmp_path / "said").read_text()
    assert outputs(tmp_path) == whole


def test_interrupted_while_it_waits_for_input_it_ends_at_once(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    words = ["replay", "-", *PLAIN, "--format", "jsonl", "--out", str(out)]
    process = process_of(tmp_path, *words, given=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin as given:
        given.write(b'{"a": 1}\n')
        given.flush()
        # The output is claimed when the run begins; after that it waits for more input.
        wait_for(out, 0, process)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    said = (tmp_path / "said").read_text()
    assert (code, "nothing was" in said) == (130, True), said


def test_a_source_that_lost_lines_is_refused_with_the_outputs_as_they_are(
    source: Path, tmp_path: Path
) -> None:
    shrinking = tmp_path / "events.jsonl"
    shrinking.write_bytes(source.read_bytes())
    words = [*words_of(tmp_path, shrinking, AS_FILES), "--resume", str(tmp_path / "state")]
    assert CliRunner().invoke(main, words).exit_code == 0
    before = outputs(tmp_path)
    with (tmp_path / AS_FILES[0]).open("ab") as file:
        file.write(b"rows beyond the checkpoint\n")
    shrinking.write_bytes(b'{"a": 1}\n')
    refused = CliRunner().invoke(main, words)
    assert (refused.exit_code, "it is shorter than" in refused.stderr) == (2, True)
    assert outputs(tmp_path) == [before[0] + b"rows beyond the checkpoint\n", before[1]]

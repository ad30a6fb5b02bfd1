"""The command line in processes of its own: usage, outputs, and what a kill leaves behind."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from stream_dagmm_connectors.cli import main
from tests.connectors.fakes import stream

CLI = [sys.executable, "-m", "stream_dagmm_connectors.cli"]
Process: TypeAlias = "subprocess.Popen[bytes]"
PLAIN = ["--detector", "gaussian-mixture"]


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments), *PLAIN])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(stream(900)) + b"\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{events}", "--alarm-rate", "3"], "--alarm-rate is '3', expected"),
        (
            ["{events}", "--on-error", "shrug"],
            "'shrug' is not one of 'dead-letter', 'skip', 'fail'",
        ),
        (["{events}", "--no-such-flag"], "No such option"),
        ([], "source is missing; name it on the command line"),
        (["nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["{events}", "--out", "scored.docx"], "its ending tells no format, expected one of"),
        (["{events}", "--out", "{events}"], "--out and SOURCE are both"),
        (["{events}", "--out", "-", "--resume", "{dir}"], "--resume needs outputs that can be cut"),
        (["{events}", "--rate", "real-time"], "say where with --time"),
        (["{events}", "--config", "{dir}/none.toml"], "none.toml cannot be read"),
        (["{events}", "--half-life", "-3"], "--half-life is '-3', expected greater than 0"),
        (["{events}", "--model", "{events}"], "expected"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    events: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = replay(*(word.format(events=events, dir=tmp_path) for word in arguments))
    assert said in result.stderr
    assert result.exit_code == 2
    assert result.stdout == ""


def test_an_option_that_a_detector_does_not_take_is_named(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("[detector_options]\nlayers = 3\n")
    result = replay(events, "--config", config)
    assert "detector gaussian-mixture takes no layers; expected some of n_comp" in result.stderr
    assert result.exit_code == 2


def test_a_run_ends_with_a_summary_of_what_was_found(events: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "scored.jsonl", tmp_path / "report.html"
    result = replay(events, "--label", "y", "--time", "t", "--out", out, "--report", report)
    words = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert result.exit_code == 0, result.output
    assert words["events"].strip() == "900"
    assert words["dead letters"].strip() == "9 (9 in decode)"
    assert float(words["AUROC"]) > 0.95
    assert len(out.read_bytes().splitlines()) == 900
    assert len((tmp_path / "scored.dead-letters.jsonl").read_bytes().splitlines()) == 9
    assert report.read_text().startswith("<!DOCTYPE html>")


def test_standard_input_to_standard_output_prints_events_and_nothing_else(events: Path) -> None:
    ended = subprocess.run(
        [*CLI, "replay", "-", *PLAIN, "--out", "-"], input=events.read_bytes(), capture_output=True
    )
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row["learned"] for row in rows] == list(range(900))
    assert {row["source"] for row in rows} == {"stdin"}
    assert b"events" in ended.stderr


def test_an_empty_file_is_a_run_of_no_events(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    report = tmp_path / "report.html"
    result = replay(tmp_path / "empty.jsonl", "--label", "y", "--report", report)
    assert result.exit_code == 0, result.output
    assert "AUROC         none" in result.stdout
    assert report.exists()


def test_a_bad_record_under_fail_exits_1_and_names_its_line(events: Path) -> None:
    result = replay(events, "--on-error", "fail")
    assert result.exit_code == 1
    assert "events.jsonl:98: not JSON" in result.stderr


def test_a_resumed_run_of_another_configuration_exits_2(events: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert replay(events, "--resume", state).exit_code == 0
    result = replay(events, "--resume", state, "--alarm-rate", "0.5")
    assert "alarm_rate: 0.001 there, 0.5 here" in result.stderr
    assert result.exit_code == 2
    assert replay(events, "--resume", state, "--alarm-rate", "0.5", "--fresh").exit_code == 0


def test_outputs_that_are_there_are_kept_unless_fresh(events: Path, tmp_path: Path) -> None:
    out = tmp_path / "scored.jsonl"
    assert replay(events, "--out", out).exit_code == 0
    first = out.read_bytes()
    refused = replay(events, "--out", out)
    assert (refused.exit_code, out.read_bytes()) == (2, first)
    assert "already holds" in refused.stderr
    assert replay(events, "--out", out, "--fresh").exit_code == 0
    assert out.read_bytes() == first


def test_a_saved_model_scores_on_without_learning(events: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "scored.jsonl"
    assert replay(events, "--save-model", model).exit_code == 0
    result = replay(events, "--model", model, "--no-learn", "--out", out)
    assert result.exit_code == 0, result.output
    assert {json.loads(row)["learned"] for row in out.read_bytes().splitlines()} == {900}


def test_the_schema_and_the_version_are_printed() -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema"]).stdout)
    assert {"ScoredEvent", "DeadLetter"} <= set(schema["$defs"])
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("stream-dagmm, version ")


def started(directory: Path, source: Path, *options: str) -> Process:
    out = ["--out", str(directory / "scored.csv"), "--resume", str(directory / "state")]
    return process_of(directory, "replay", str(source), *PLAIN, *out, *options)


def process_of(directory: Path, *words: str, given: int = subprocess.DEVNULL) -> Process:
    """A process of its own, whose standard error is kept in a file."""
    with (directory / "said").open("wb") as said:
        return subprocess.Popen(
            [*CLI, *words],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def outputs(directory: Path) -> Sequence[bytes]:
    names = ("scored.csv", "scored.dead-letters.jsonl")
    return [(directory / name).read_bytes() for name in names]


def wait_for(path: Path, size: int, process: Process) -> None:
    """Return when a file has grown so large; what it waits for is the file, not the clock."""
    while not (path.exists() and path.stat().st_size >= size) and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[bytes]]:
    """A stream of some steps, and the outputs of a run that nobody disturbed."""
    directory = tmp_path_factory.mktemp("whole")
    source = directory / "events.jsonl"
    source.write_bytes(b"\n".join(stream(2500)) + b"\n")
    assert started(directory, source, "--checkpoint-every", "300").wait() == 0
    return source, outputs(directory)


def test_killed_at_random_the_same_command_ends_with_the_same_bytes(
    long: tuple[Path, Sequence[bytes]], tmp_path: Path
) -> None:
    source, whole = long
    chance = random.Random(7)
    for share in (0.3, 0.7):
        process = started(tmp_path, source, "--checkpoint-every", "300")
        size = int(len(whole[0]) * (share + chance.uniform(-0.1, 0.1)))
        wait_for(tmp_path / "scored.csv", size, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert started(tmp_path, source, "--checkpoint-every", "300").wait() == 0
    assert outputs(tmp_path) == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_saves_exits_130_and_goes_on_to_the_same_bytes(
    long: tuple[Path, Sequence[bytes]], tmp_path: Path, number: signal.Signals
) -> None:
    source, whole = long
    process = started(tmp_path, source, "--rate", "1500")
    wait_for(tmp_path / "scored.csv", len(whole[0]) // 8, process)
    process.send_signal(number)
    code, said = process.wait(), (tmp_path / "said").read_bytes()
    assert code == 130, said
    assert b"the same command goes on from there" in said
    assert started(tmp_path, source).wait() == 0
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

"""The command line in processes of its own: usage, outputs, and what a kill leaves behind."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from stream_dagmm_connectors.cli import Commands, main
from tests.connectors.fakes import stream
from tests.connectors.processes import CLI, PLAIN


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
        (["{events}", "--model", "{dir}/none.model"], "none.model: cannot be read"),
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
    assert words["alarms"].strip().startswith("0 (0.000%); warming up for 2,000 events")
    assert words["dead letters"].strip() == "9 (9 in decode)"
    assert words["first of them"].strip().startswith("events.jsonl:98: not JSON: found 'not json'")
    assert float(words["AUROC"]) > 0.95
    assert len(out.read_bytes().splitlines()) == 900
    assert len((tmp_path / "scored.jsonl.dead-letters.jsonl").read_bytes().splitlines()) == 9
    assert report.read_text().startswith("<!DOCTYPE html>")


def test_alarms_that_could_have_come_are_told_without_excuse(events: Path) -> None:
    told = replay(events, "--alarm-rate", "0.05").stdout
    assert "warming" not in told
    assert "alarms  0 " not in told


def test_standard_input_to_standard_output_prints_events_and_nothing_else(events: Path) -> None:
    ended = subprocess.run(
        [*CLI, "replay", "-", *PLAIN, "--out", "-"], input=events.read_bytes(), capture_output=True
    )
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row["learned"] for row in rows] == list(range(900))
    assert {row["source"] for row in rows} == {"stdin"}
    assert b"events" in ended.stderr


@pytest.mark.parametrize(
    ("label", "lines", "said"),
    [
        ("nope", 900, "none: no event has field 'nope'"),
        ("y", 400, "none: no labelled event came from event 512 on"),
        ("text", 900, "none: no label from event 512 on says yes or no; expected 1 and 0"),
        ("zero", 900, "none: only normal events among 389 labelled events from event 512 on"),
    ],
)
def test_a_label_that_judges_nothing_is_told_why(
    tmp_path: Path, label: str, lines: int, said: str
) -> None:
    path = tmp_path / "events.jsonl"
    more = b'"text": "perhaps", "zero": 0, "a"'
    path.write_bytes(b"\n".join(stream(lines)).replace(b'"a"', more) + b"\n")
    result = replay(path, "--label", label)
    assert f" {said}" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "text"])
def test_in_real_time_events_are_as_far_apart_as_their_times(tmp_path: Path, unit: str) -> None:
    path, out = tmp_path / "events.jsonl", tmp_path / "scored.jsonl"
    at_s = [1_800_000_000.0, 1_800_000_000.3, 1_800_000_000.1, 1_800_000_000.7]
    times: dict[str, list[object]] = {
        "seconds": [*at_s],
        "milliseconds": [round(1_000 * one) for one in at_s],
        "text": [datetime.fromtimestamp(one, UTC).isoformat() for one in at_s],
    }
    lines = [json.dumps({"when": one, "a": 1.0}) for one in [*times[unit], "never"]]
    path.write_text("\n".join(lines))
    began_s = time.monotonic()
    result = replay(path, "--time", "when", "--rate", "real-time", "--out", out)
    took_s = time.monotonic() - began_s
    assert result.exit_code == 0, result.output
    assert 0.7 <= took_s
    assert [json.loads(row)["time"] for row in out.read_text().splitlines()][:4] == times[unit]


def test_an_empty_file_is_a_run_of_no_events(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    report = tmp_path / "report.html"
    result = replay(tmp_path / "empty.jsonl", "--label", "y", "--report", report)
    assert result.exit_code == 0, result.output
    assert " none: no event has field 'y'" in result.stdout
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


@pytest.mark.parametrize(
    ("missing", "command", "code", "install"),
    [
        ("click", ["--help"], 1, "stream-dagmm[cli]"),
        (
            "kafka",
            ["topics", "print", "--input", "a", "--output", "b"],
            2,
            "stream-dagmm[cli,kafka]",
        ),
        ("fsspec", ["replay", "{events}"], 0, ""),
    ],
)
def test_what_an_extra_would_bring_is_named_and_missed_only_where_it_is_needed(
    events: Path, missing: str, command: list[str], code: int, install: str
) -> None:
    without = f"import sys; sys.modules[{missing!r}] = None"
    run = f"{without}; from stream_dagmm_connectors.cli import main; main()"
    words = [word.format(events=events) for word in command]
    broker = ["--bootstrap-servers", "127.0.0.1:1"] if "topics" in words else []
    found = subprocess.run(
        [sys.executable, "-c", run, *words, *broker], capture_output=True, text=True, check=False
    )
    assert found.returncode == code, found.stderr
    assert install in found.stderr
    assert "Traceback" not in found.stderr


def test_interrupted_before_it_began_a_command_exits_130_too() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    commands = Commands("all", {"one": click.Command("one", callback=interrupted)})
    result = CliRunner().invoke(commands, ["one"])
    assert (result.exit_code, result.stderr) == (130, "stream-dagmm: interrupted\n")

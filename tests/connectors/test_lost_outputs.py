"""Outputs that give way: full disks, readers that leave, rights that are missing."""

import json
import resource
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream_dagmm_connectors.cli import main
from tests.connectors.fakes import stream
from tests.connectors.processes import CLI, PLAIN

ROOM_BYTES = 200_000


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(stream(2500)) + b"\n")
    return path


def little_room(room_bytes: int = ROOM_BYTES) -> None:
    """No file of the process may grow longer: what a full disk does, wherever the tests run."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes))


def hardly_any_room() -> None:
    little_room(1_000)


def test_a_disk_that_fills_up_is_named_and_with_room_the_same_command_goes_on(
    events: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "scored.jsonl", tmp_path / "whole.jsonl"
    words = ["replay", str(events), *PLAIN, "--checkpoint-every", "300"]
    resumable = [*words, "--out", str(out), "--resume", str(tmp_path / "state")]
    full = subprocess.run([*CLI, *resumable], capture_output=True, preexec_fn=little_room)
    said = full.stderr.decode()
    assert full.returncode == 1, said
    assert f"{out} cannot be written: File too large" in said
    assert "the same command goes on from there" in said
    assert CliRunner().invoke(main, resumable).exit_code == 0
    assert CliRunner().invoke(main, [*words, "--out", str(whole)]).exit_code == 0
    assert len(whole.read_bytes()) > 2 * ROOM_BYTES
    assert out.read_bytes() == whole.read_bytes()


def test_a_disk_that_is_full_from_the_start_leaves_nothing_in_the_way_of_the_next_try(
    events: Path, tmp_path: Path
) -> None:
    out, state = str(tmp_path / "scored.jsonl"), tmp_path / "state"
    words = ["replay", str(events), *PLAIN, "--label", "y", "--out", out, "--resume", str(state)]
    full = subprocess.run([*CLI, *words], capture_output=True, preexec_fn=hardly_any_room)
    said = f"stream-dagmm: {state / 'run.checkpoint'} cannot be written: File too large\n"
    assert (full.returncode, full.stderr.decode()) == (1, said)
    assert CliRunner().invoke(main, words).exit_code == 0


def test_a_reader_of_standard_output_that_leaves_ends_the_run(events: Path) -> None:
    process = subprocess.Popen(
        [*CLI, "replay", str(events), *PLAIN, "--out", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    with process.stdout as read, process.stderr as said:
        first = read.readline()
        read.close()
        words = said.read().decode()
    assert json.loads(first)["learned"] == 0
    assert process.wait() == 1
    assert words.startswith("stream-dagmm: nobody reads standard output any more; stopped after ")
    assert words.count("\n") == 1


def test_standard_output_on_a_full_disk_is_named(events: Path) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [*CLI, "replay", str(events), *PLAIN, "--out", "-"], stdout=full, stderr=subprocess.PIPE
        )
    said = "stream-dagmm: standard output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr.decode()) == (1, said)


@pytest.mark.parametrize("flag", ["--report", "--save-model"])
def test_what_cannot_be_written_at_the_end_is_named(tmp_path: Path, flag: str) -> None:
    (tmp_path / "many.jsonl").write_text("".join(f'{{"f{n}": {n}}}\n' for n in range(900)))
    last = str(tmp_path / "last")
    words = ["replay", str(tmp_path / "many.jsonl"), *PLAIN, flag, last]
    ended = subprocess.run([*CLI, *words], capture_output=True, preexec_fn=hardly_any_room)
    said = f"stream-dagmm: {last} cannot be written: File too large\n"
    assert (ended.returncode, ended.stderr.decode()) == (1, said)

"""What a person sees while events go by."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from stream_dagmm_connectors.metrics import Counters, Speed
from stream_dagmm_connectors.progress import LogLines, TerminalBar, about_how_many, watching

SEEN = Counters(events=49_097, alarms=1_038, recent_alarm_rate=0.00077)
WORDS = "49,097 events, 0/s, alarm rate now 0.077%, 1,038 alarms"


def drawn(width: int, records: int | None) -> str:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    bar = TerminalBar(Speed(lambda: 0.0), records, console)
    bar.show(SEEN)
    bar.close()
    return screen.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("records", [None, 49_097])
def test_the_bar_says_everything_on_a_terminal_of_any_usual_width(
    width: int, records: int | None
) -> None:
    screen = drawn(width, records)
    assert WORDS in screen
    assert "0:00:00" in screen
    assert records is None or "━" * 8 in screen


def test_on_a_narrow_terminal_the_bar_stays_on_one_line() -> None:
    assert all(len(line) < 200 for line in drawn(30, 10).splitlines())
    assert "49,097 events" in drawn(30, 10)


def test_a_line_of_log_comes_every_five_seconds(caplog: pytest.LogCaptureFixture) -> None:
    clock = iter([0.0, 1.0, 4.9, 5.0, 6.0, 9.9, 10.1]).__next__
    lines = LogLines(Speed(lambda: 0.0), clock=clock)
    with caplog.at_level(logging.INFO, logger="stream_dagmm"):
        for _ in range(6):
            lines.show(SEEN)
    assert caplog.messages == [WORDS, WORDS]


def test_dead_letters_are_told_once_there_are_some(caplog: pytest.LogCaptureFixture) -> None:
    lines = LogLines(Speed(lambda: 0.0), clock=iter([0.0, 5.0]).__next__)
    with caplog.at_level(logging.INFO, logger="stream_dagmm"):
        lines.show(Counters(events=1, dead_letters={"decode": 1_000, "read": 1}))
    assert caplog.messages[0].endswith("0 alarms, 1,001 dead letters")


def test_rows_on_a_terminal_are_not_crossed_by_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    bar = watching(Speed(), 10, printing=False)
    bar.close()
    assert isinstance(bar, TerminalBar)
    assert isinstance(watching(Speed(), 10, printing=True), LogLines)


def test_lines_are_guessed_from_the_beginning_of_a_plain_file_alone(tmp_path: Path) -> None:
    plain, binary = tmp_path / "a.jsonl", tmp_path / "a.gz"
    plain.write_bytes(b'{"a": 1}\n' * 300_000)
    binary.write_bytes(b"\x1f\x8b" + b"\n" * 100)
    assert about_how_many(plain) == pytest.approx(300_000, rel=1e-4)
    assert about_how_many(binary) is None

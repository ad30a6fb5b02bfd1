"""The benchmark of collapsed clusters keeps what it found; test_gmvae.py tries its measures."""

from pathlib import Path

from tests.benchmarks import collapse
from tests.benchmarks.collapse import MEASURES, REMEDIES, STREAMS


def test_the_command_keeps_a_row_for_each_stream_and_remedy(tmp_path: Path) -> None:
    table = tmp_path / "collapse.md"
    collapse.main(["--events", "600", "--seeds", "1", "--table", str(table)])
    rows = table.read_text().splitlines()[4:]
    assert len(rows) == len(STREAMS) * len(REMEDIES)
    for row in rows:
        assert [cell.count(" to ") for cell in row.split(" | ")[1:]] == [1] * len(MEASURES)

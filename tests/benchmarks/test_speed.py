"""The table of speeds: one row a detector, one column a way of calling it."""

from tests.benchmarks.speed import WAYS, table


def test_a_detector_has_one_row_with_its_ratios_to_the_first_contestant() -> None:
    """The ratio is of the same round, so a round in which the machine was slow counts like any."""
    seconds = {
        ("trees", WAYS[0]): [2e-5, 2e-3, 2e-5],
        ("ours", WAYS[0]): [4e-5, 4e-3, 4e-5],
        ("ours", WAYS[1]): [1e-5, 1e-3, 1e-5],
    }
    assert table("stream", seconds).splitlines()[2:] == [
        "| trees | 50,000 (1.00) |  |  |  |",
        "| ours | 25,000 (0.50) | 100,000 (2.00) |  |  |",
    ]

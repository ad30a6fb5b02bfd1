"""The benchmark of recovered Gaussians: the table and the figure of a method that is quick."""

from pathlib import Path

from tests.benchmarks import three_gaussians
from tests.benchmarks.three_gaussians import WORLDS

ORACLE = "oracle: scikit-learn KMeans"


def test_the_command_keeps_a_row_for_each_method_and_a_panel_for_each_world_of_the_plane(
    tmp_path: Path,
) -> None:
    table, figure = tmp_path / "table.md", tmp_path / "figure.svg"
    where = ["--table", str(table), "--figure", str(figure)]
    three_gaussians.main(["--methods", ORACLE, "--seeds", "1", *where])
    name, *cells = table.read_text().splitlines()[-1].strip("| ").split(" | ")
    assert name == ORACLE and len(cells) == len(WORLDS)
    errors = [float(cell.split(" / ")[0]) for cell in cells]
    assert (
        errors[0] < 0.1 < errors[1]
    )  # at rest, and moving where the oracle sees all places as one
    assert figure.read_text().count(f">{ORACLE}<") == 2

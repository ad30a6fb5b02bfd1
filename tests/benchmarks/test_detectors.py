"""The README shows the table of detectors that the command prints."""

import re
from pathlib import Path

from stream_dagmm_connectors.detector_names import DETECTORS
from tests.benchmarks.detectors import HEAD, WHEN, row

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_the_printed_table_with_figures_in_its_form() -> None:
    lines = README.read_text().split(HEAD + "\n")[1].splitlines()[: len(WHEN)]
    figures = [line.split(" | ")[-1].removesuffix(" |") for line in lines]
    assert all(re.fullmatch(r"0\.\d{3} / 0\.\d{3}", one) for one in figures)
    assert lines == [row(name, one) for name, one in zip(WHEN, figures, strict=True)]


def test_every_detector_has_a_row() -> None:
    assert WHEN.keys() == DETECTORS.keys()

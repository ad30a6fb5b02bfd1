"""The README shows the table of detectors that the command prints."""

import re
from pathlib import Path

from stream_dagmm_connectors.detector_names import DETECTORS
from tests.benchmarks.detectors import HEAD, UNTRAINED, WHEN, main, row

FORM = r"0\.\d{3} / 0\.\d{3}"
README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_the_printed_table_with_figures_in_its_form() -> None:
    lines = README.read_text().split(HEAD + "\n")[1].splitlines()[: len(WHEN)]
    cells = [line.removesuffix(" |").split(" | ")[-2:] for line in lines]
    for name, (figures, untrained) in zip(WHEN, cells, strict=True):
        assert re.fullmatch(FORM, figures)
        assert re.fullmatch(FORM, untrained) or name not in UNTRAINED
    assert lines == [row(name, *two) for name, two in zip(WHEN, cells, strict=True)]


def test_in_the_readme_each_of_the_family_beats_its_untrained_self() -> None:
    """The figures that stand there, by both measures; `StreamDAGMM` is not of the family."""
    for line in README.read_text().split(HEAD + "\n")[1].splitlines()[2 : len(WHEN)]:
        trained, untrained = line.removesuffix(" |").split(" | ")[-2:]
        areas, precisions = zip(*(said.split(" / ") for said in (trained, untrained)), strict=True)
        assert areas[0] > areas[1]
        assert precisions[0] > precisions[1]


def test_every_detector_has_a_row() -> None:
    assert WHEN.keys() == DETECTORS.keys()


def test_the_command_keeps_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    table = tmp_path / "detectors.md"
    main(["--detectors", "gaussian-mixture", "--table", str(table)])
    (line,) = table.read_text().split(HEAD + "\n")[1].splitlines()
    figures = line.removesuffix(" |").split(" | ")[-2]
    assert re.fullmatch(FORM, figures)
    assert line == row("gaussian-mixture", figures, "")

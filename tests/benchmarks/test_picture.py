"""The picture is an SVG with a dot and a name for each detector that has all the streams."""

from xml.etree import ElementTree

import numpy as np

from tests.benchmarks.picture import svg
from tests.benchmarks.tables import Cell, Cells

NAMES = ["a", "b"]


def cell(quality: float, cost: float, rows: int = 100) -> Cell:
    return Cell(rows, np.array([[quality, quality / 2, np.nan, cost]]))


def dots(found: Cells) -> list[tuple[float, float]]:
    root = ElementTree.fromstring(svg(found, NAMES, "Ours"))
    circles = root.iter("{http://www.w3.org/2000/svg}circle")
    return [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in circles]


def test_better_is_higher_and_dearer_is_further_right_in_both_panels() -> None:
    found = {
        "Ours": {name: cell(0.9, 30.0) for name in NAMES},
        "Theirs & others": {name: cell(0.7, 300.0) for name in NAMES},
    }
    assert "Theirs &amp; others" in svg(found, NAMES, "Ours")
    ours, theirs, *other_panel = dots(found)
    assert ours[0] < theirs[0] and ours[1] < theirs[1]
    assert len(other_panel) == 2


def test_who_lacks_a_stream_or_rows_of_one_is_left_out() -> None:
    whole = {name: cell(0.9, 30.0) for name in NAMES}
    cut_short = {"a": cell(0.9, 30.0), "b": cell(0.9, 30.0, rows=10)}
    shown = svg({"Ours": whole, "Short": cut_short, "Partly": {"a": whole["a"]}}, NAMES, "Ours")
    assert "Ours" in shown and "Short" not in shown and "Partly" not in shown


def test_labels_of_equal_detectors_do_not_lie_on_each_other() -> None:
    found = {f"d{k}": {name: cell(0.8, 10.0) for name in NAMES} for k in range(5)}
    root = ElementTree.fromstring(svg(found, NAMES, "Ours"))
    texts = [t for t in root.iter("{http://www.w3.org/2000/svg}text") if (t.text or "")[0] == "d"]
    heights = sorted(float(t.attrib["y"]) for t in texts[:5])
    assert min(np.diff(heights)) >= 12

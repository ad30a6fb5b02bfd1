"""A result belongs to the modules that made it, and to no others."""

from tests.benchmarks.fingerprints import PACKAGE, code, reached


def test_a_detector_is_made_of_what_it_imports_near_and_far() -> None:
    found = {path.stem for path in reached(PACKAGE / "detectors" / "dagmm.py", set())}
    assert {"dagmm", "stream", "features", "arithmetic", "networks"} <= found


def test_it_is_not_made_of_another_detector() -> None:
    found = {path.stem for path in reached(PACKAGE / "detectors" / "dagmm.py", set())}
    assert "gaussian_mixture" not in found and "__init__" not in found


def test_two_detectors_have_two_codes_and_each_always_the_same() -> None:
    assert code("detectors/dagmm") == code("detectors/dagmm") != code("detectors/gaussian_mixture")

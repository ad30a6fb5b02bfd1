"""What every test of this repository shares: needs by name, and no silent skip under CI=true."""

import os

# One thread, as the command line has it: what a test computes here and what a process of its own
# computes must have one arithmetic fingerprint. To be said before NumPy and torch are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from collections.abc import Generator

import hypothesis
import pytest

UNDER_CI = os.environ.get("CI") == "true"

# Two busy cores make wall-clock deadlines flaky. CI draws the same examples every time, so that a
# red run can be had again; a developer's machine goes on looking for new ones.
hypothesis.settings.register_profile("project", deadline=None, derandomize=UNDER_CI)
hypothesis.settings.load_profile("project")


class NoSilentSkips:
    """Turns a skip into a failure that keeps the skip's reason.

    A plugin of its own rather than hooks of this file: pytest calls a conftest's hooks only for
    the tests below its folder, and the doctests of the packages lie elsewhere.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        # An expected failure is reported as skipped too; it did run.
        if report.skipped and not hasattr(report, "wasxfail"):
            _fail(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.skipped:
            _fail(report)
        return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"a skip is a failure under CI=true: {reason}"


def pytest_configure(config: pytest.Config) -> None:
    if UNDER_CI:
        config.pluginmanager.register(NoSilentSkips(), "no-silent-skips")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test marked `needs("chromium")` by the name of the program that is missing."""
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            if shutil.which(tool) is None:
                pytest.skip(f"needs {tool}, which is not installed; .ci/run installs it")

"""The page that says what was found: one HTML file, no network, no script."""

from stream_dagmm_connectors.report.page import Report

__all__ = ["Report"]

"""One detector per file; none imports another."""

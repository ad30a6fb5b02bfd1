"""One detector a file; none imports another."""

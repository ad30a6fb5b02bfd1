"""The commands of `stream-dagmm`, one file each; `cli.py` puts them together."""

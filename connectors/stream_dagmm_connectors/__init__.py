"""Connectors: event streams in files and topics, run through a detector of stream_dagmm."""

"""Online anomaly detectors for River that learn from every event they have scored."""

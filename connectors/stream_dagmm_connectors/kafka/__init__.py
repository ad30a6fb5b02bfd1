"""Topics: events in, scored events out, exactly once, with a model that moves with its partition.

One event's way, file by file: `loop` polls and takes turns, `partition` decodes, scores and
learns, `delivery` sends and commits, `restoring` brings a model back after a move or a crash.
"""

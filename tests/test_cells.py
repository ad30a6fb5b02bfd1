"""What a value means is the same on every machine, and takes no memory that grows."""

import tracemalloc

from stream_dagmm.cells import bucket_of


def test_the_hash_of_a_text_is_the_same_on_every_machine() -> None:
    assert [bucket_of("shop", text) for text in ("A", "B", "naïve")] == [3, 25, 26]


def test_a_long_text_has_the_bucket_of_the_same_text_met_again_and_is_not_kept() -> None:
    tracemalloc.start()
    try:
        found = [bucket_of("message", f"{n:0100000}") for n in range(200)]
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [bucket_of("message", f"{n:0100000}") for n in range(200)]
    assert held_bytes < 1_000_000

"""A number of threads for NumPy's and torch's products, for the length of a `with` block."""

from collections.abc import Iterator
from contextlib import contextmanager

import threadpoolctl
import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Products use `count` threads, whatever the environment said when Python started."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpoolctl.threadpool_limits(count):
            pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
            if torch.get_num_threads() != count or count not in pools:
                raise RuntimeError(f"threads must be {count}, got {pools}; is a library missing?")
            yield
    finally:
        torch.set_num_threads(before)

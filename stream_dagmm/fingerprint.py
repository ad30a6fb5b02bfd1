"""The arithmetic fingerprint: what a score's bits depend on beside configuration and events."""

from importlib.metadata import version

import numpy as np
import torch


def arithmetic_fingerprint() -> dict[str, str]:
    """Versions, instruction set and threads of this process, by name; every checkpoint records
    them, and the law of cuts holds where all of them are equal."""
    return {
        "stream-dagmm": version("stream-dagmm"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cpu": _cpu(),
        "threads": str(torch.get_num_threads()),
    }


def _cpu() -> str:
    """The instruction set that torch uses, and NumPy's where that is another."""
    torch_has = torch.backends.cpu.get_cpu_capability()
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    wide = {"X86_V4", "AVX512F", "AVX512_SKX"}.intersection(found)
    numpy_has = (
        "AVX512" if wide else "AVX2" if {"X86_V3", "AVX2"}.intersection(found) else "DEFAULT"
    )
    return torch_has if torch_has == numpy_has else f"{torch_has}, NumPy {numpy_has}"

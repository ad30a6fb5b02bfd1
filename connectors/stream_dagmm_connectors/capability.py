"""One instruction set for all arithmetic, so that machines of several kinds give the same bits.

torch, NumPy and their BLAS choose their kernels by what the processor can do, once, when they are
imported. So the choice is said in the environment, and the process begins anew with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

Capability = Literal["default", "avx2", "avx512"]
"""`default` is what every 64-bit processor of the family has."""

LEVELS: tuple[Capability, ...] = ("default", "avx2", "avx512")
BLAS = {"default": "Nehalem", "avx2": "Haswell", "avx512": "SkylakeX"}
"""OpenBLAS's name for a processor of the level."""
MKL = {"default": "COMPATIBLE", "avx2": "AVX2", "avx512": "AVX512"}
ONEDNN = {"default": "SSE41", "avx2": "AVX2", "avx512": "AVX512_CORE"}
OF_AVX2 = ("X86_V3", "AVX", "AVX2", "F16C", "FMA3", "FMA4", "XOP")
OF_AVX512 = ("X86_V4", "AVX512F", "AVX512CD", "AVX512_SKX")
"""NumPy's names for what is above the level before; those that it does not know are left out."""


def pin(asked: Capability | None) -> None:
    """Begin this process anew under an instruction set, unless it is or nothing was asked for.

    Raises `ValueError` where the processor has less. Nothing may have been read, and no thread
    started, before.
    """
    if asked is None:
        return
    wanted = environment(asked, extensions())
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **wanted})


def environment(asked: Capability, found: Mapping[str, list[str]]) -> dict[str, str]:
    """What pins torch, NumPy, OpenBLAS, MKL and oneDNN to a level.

    >>> environment("avx2", {"found": ["X86_V3", "X86_V4"], "not found": []})["ATEN_CPU_CAPABILITY"]
    'avx2'
    """
    known = [name for names in found.values() for name in names]
    level = LEVELS.index(asked)
    needed = (OF_AVX2, OF_AVX512)[level - 1] if level else ()
    # Once pinned, NumPy no longer finds what it was told to leave alone.
    pinned = os.environ.get("ATEN_CPU_CAPABILITY") == asked
    if needed and not pinned and not set(needed).intersection(found["found"]):
        raise ValueError(
            f"cpu_capability is {asked}, and NumPy finds none of {', '.join(needed)} here; say the "
            "least that the machines of the group have in common"
        )
    kept = {*(OF_AVX2 if level else ()), *(OF_AVX512 if level > 1 else ())}
    return {
        "ATEN_CPU_CAPABILITY": asked,
        "NPY_DISABLE_CPU_FEATURES": ",".join(sorted({*known} - kept)),
        "OPENBLAS_CORETYPE": BLAS[asked],
        "MKL_CBWR": MKL[asked],
        "ONEDNN_MAX_CPU_ISA": ONEDNN[asked],
    }


def extensions() -> dict[str, list[str]]:
    """What NumPy could use beyond its baseline, found here or not."""
    said: Any = np.show_config(mode="dicts")["SIMD Extensions"]
    return {name: list(said.get(name, ())) for name in ("found", "not found")}

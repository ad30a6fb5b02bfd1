"""Trees of arrays and plain values to bytes and back: versioned, checksummed, no pickle.

    magic (8 bytes) | SHA-256 of all that follows (32) | format (4) | length of the body (8) | body
    body = length of the plain part (8) | plain part, canonical JSON | arrays, safetensors

Integers are unsigned and little-endian. The magic, the digest and the two numbers keep their places
in every format to come, so that damage can be told from a newer version. This file knows nothing of
detectors: what a tree means, and which version of a detector wrote it, stands in the tree.
"""

import hashlib
import json
import math
import os
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
import safetensors.numpy

Array: TypeAlias = npt.NDArray[Any]
Tree: TypeAlias = "Array | int | float | str | bool | list[Tree] | dict[str, Tree] | None"
"""What can be kept: booleans, integers and floats are told apart; arrays keep dtype and shape."""

MAGIC = b"SDAGMM\r\n"
"""Ends as PNG's does: a transfer in text mode that changes line ends shows in the first bytes."""

FORMAT = 1
NUMBERS = struct.Struct("<IQ")
LENGTH = struct.Struct("<Q")
DIGEST_BYTES = hashlib.sha256().digest_size
HEAD_BYTES = len(MAGIC) + DIGEST_BYTES + NUMBERS.size

RESTORE = "restore a copy of it"
UPGRADE = "upgrade stream-dagmm"

KEPT_KINDS = "biufc"
JSON_SAFE = 2**63
"""Integers from here on are written in hexadecimal, which Python reads at any length."""


def dumps(tree: Tree) -> bytes:
    """The checkpoint's bytes; equal trees give equal bytes, whatever the order of their keys.

    ValueError names the place of anything that is not a `Tree`.

    >>> len(dumps({"seed": 7, "mean": np.zeros(3)}))
    186
    """
    arrays: dict[str, Array] = {}
    plain = json.dumps(
        _plain(tree, "tree", arrays), sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()
    body = LENGTH.pack(len(plain)) + plain + safetensors.numpy.save(arrays)
    rest = NUMBERS.pack(FORMAT, len(body)) + body
    return MAGIC + hashlib.sha256(rest).digest() + rest


def loads(data: bytes, name: str = "checkpoint") -> Tree:
    """The tree of a checkpoint's bytes, its dictionaries in the order of their keys.

    Every flipped bit, missing byte and added byte is a ValueError that begins with `name` and says
    what was found and what to do.

    >>> loads(dumps({"seed": 7, "mean": np.zeros(3)}))
    {'mean': array([0., 0., 0.]), 'seed': 7}
    """
    body = _checked_body(data, name)
    arrays_begin = LENGTH.size + LENGTH.unpack_from(body)[0]
    plain = json.loads(body[LENGTH.size : arrays_begin])
    # Copies own their memory: what safetensors gives is a read-only view of the file's bytes.
    arrays = {k: v.copy() for k, v in safetensors.numpy.load(body[arrays_begin:]).items()}
    return _tree(plain, arrays)


def write(path: str | os.PathLike[str], tree: Tree) -> None:
    """Puts the tree at `path`, durably when this returns; a crash leaves the old file or the new.

    What a killed writer leaves behind is a hidden `.tmp` file beside it that no one reads.
    """
    data = dumps(tree)
    target = Path(path).resolve()  # through a link, so that the link itself stays
    temporary = target.parent / f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _make_rename_durable(target.parent)


def read(path: str | os.PathLike[str]) -> Tree:
    """The tree that `write` put at `path`; ValueError where there is no whole checkpoint."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read ({error.strerror}), expected a stream-dagmm checkpoint; "
            f"check the path"
        ) from error
    return loads(data, name=str(path))


def _checked_body(data: bytes, name: str) -> bytes:
    if not data.startswith(MAGIC):
        begins = f"begins with {data[:8]!r}" if data else "is empty"
        found = f"is not a stream-dagmm checkpoint ({begins}, expected {MAGIC!r})"
        _refuse(name, found, "check the path")
    if len(data) < HEAD_BYTES:
        _refuse(name, f"is cut off: {len(data)} bytes, expected at least {HEAD_BYTES}", RESTORE)
    digest, rest = data[len(MAGIC) :][:DIGEST_BYTES], data[len(MAGIC) + DIGEST_BYTES :]
    version, length = NUMBERS.unpack_from(rest)
    if hashlib.sha256(rest).digest() != digest:
        expected = HEAD_BYTES + length
        size = f"{len(data)} bytes, its header says {expected}"
        _refuse(name, f"is damaged: its checksum does not match its contents ({size})", RESTORE)
    if version != FORMAT:
        _refuse(name, f"is in container format {version}, this version reads {FORMAT}", UPGRADE)
    return rest[NUMBERS.size :]


def _refuse(name: str, found: str, way_out: str) -> NoReturn:
    raise ValueError(f"{name}: {found}; {way_out}")


def _plain(tree: object, place: str, arrays: dict[str, Array]) -> object:
    """The tree in JSON; an object there always has one key, which says what its value stands for.
    Arrays are put into `arrays` by number."""
    if isinstance(tree, np.ndarray):
        arrays[str(len(arrays))] = _kept(tree, place)
        return {"array": len(arrays) - 1}
    if tree is None or isinstance(tree, bool | str):
        return tree
    if isinstance(tree, int):
        return int(tree) if abs(tree) < JSON_SAFE else {"int": hex(tree)}
    if isinstance(tree, float):
        return float(tree) if math.isfinite(tree) else {"float": str(float(tree))}
    if isinstance(tree, list):
        return [_plain(item, f"{place}[{i}]", arrays) for i, item in enumerate(tree)]
    if isinstance(tree, dict) and all(isinstance(key, str) for key in tree):
        # By key, so that the numbers of the arrays too are the same in any order of keys.
        return {"dict": {k: _plain(tree[k], f"{place}.{k}", arrays) for k in sorted(tree)}}
    raise ValueError(
        f"{place} is of type {type(tree).__name__}, expected an array, int, float, str, bool, "
        f"None, list, or dict with str keys; convert it before it is saved"
    )


def _kept(array: Array, place: str) -> Array:
    if array.dtype.kind not in KEPT_KINDS or array.dtype.itemsize > 8:
        raise ValueError(
            f"{place} is an array of {array.dtype}, expected booleans or numbers of at most "
            f"64 bits; convert it before it is saved"
        )
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _tree(plain: Any, arrays: Mapping[str, Array]) -> Tree:
    if isinstance(plain, list):
        return [_tree(item, arrays) for item in plain]
    if not isinstance(plain, dict):
        return plain  # type: ignore[no-any-return]
    ((kind, value),) = plain.items()
    if kind == "dict":
        return {key: _tree(item, arrays) for key, item in value.items()}
    if kind == "array":
        return arrays[str(value)]
    return int(value, 16) if kind == "int" else float(value)


def _make_rename_durable(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows, where a directory cannot be opened and a rename needs no more
    descriptor = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

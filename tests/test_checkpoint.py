"""A checkpoint comes back exactly as it was, or not at all and with a reason."""

import io
import math
import pickle
import signal
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm import checkpoint
from stream_dagmm.checkpoint import Tree, dumps, loads, read, write

GOLDEN = Path(__file__).parent / "golden"
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()

SMALL: Tree = {"seed": 7, "mean": np.array([0.5, math.inf]), "names": ["a", None, True]}


@st.composite
def arrays(draw: st.DrawFn) -> npt.NDArray[Any]:
    """Any bits in any kept dtype and shape, 0-d and empty ones included."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    count = math.prod(shape)
    if dtype == np.bool_:
        bits = draw(st.lists(st.booleans(), min_size=count, max_size=count))
        return np.array(bits, dtype=dtype).reshape(shape)
    size = count * dtype.itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**60, 2**20_000)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5)
    | arrays()
)
keys = st.text(max_size=5) | st.sampled_from(["array", "dict", "int", "float", "__metadata__"])
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    """Equal in type, structure and every bit, but for the payload of a NaN that is no array."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        layout = (one.dtype, one.shape) == (other.dtype, other.shape)
        return layout and one.tobytes() == other.tobytes()
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) and math.isnan(other):
            return True
        return struct.pack("<d", one) == struct.pack("<d", other)
    return one == other


def reversed_keys(tree: Tree) -> Tree:
    if isinstance(tree, list):
        return [reversed_keys(item) for item in tree]
    if isinstance(tree, dict):
        return {key: reversed_keys(tree[key]) for key in reversed(tree)}
    return tree


@given(trees)
def test_every_tree_comes_back_in_every_bit(tree: Tree) -> None:
    assert same(loads(dumps(tree)), tree)


@given(trees)
def test_equal_trees_give_equal_bytes_in_any_order_of_keys(tree: Tree) -> None:
    assert dumps(reversed_keys(tree)) == dumps(tree)
    assert dumps(loads(dumps(tree))) == dumps(tree)


def test_a_view_in_another_memory_order_is_kept_by_value() -> None:
    table = np.arange(12.0).reshape(3, 4)
    for view in (table.T, table[::-1, ::2], np.asfortranarray(table), table.astype(">f8")):
        kept = loads(dumps(view))
        assert isinstance(kept, np.ndarray)
        assert kept.dtype == np.float64
        assert kept.tolist() == view.tolist()


def test_arrays_come_back_with_memory_of_their_own() -> None:
    mean = loads(dumps({"mean": np.zeros(3)}))["mean"]  # type: ignore[call-overload, index]
    mean[0] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": [np.int64(3)]}, r"tree\.a\[0\] is of type int64, expected"),
        ({"a": (1, 2)}, r"tree\.a is of type tuple, expected"),
        ({"a": {3: "three"}}, r"tree\.a is of type dict, expected .* with str keys"),
        ({"a": np.array(["text"])}, r"tree\.a is an array of <U4, expected"),
        ({"a": np.array([object()])}, r"tree\.a is an array of object, expected"),
        ({"a": np.zeros(2, np.longdouble)}, r"tree\.a is an array of .*, expected"),
    ],
)
def test_what_cannot_be_kept_is_named_by_its_place(tree: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dumps(tree)


def one_bit_flipped(data: bytes) -> Iterator[bytes]:
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << (place % 8)
        yield bytes(changed)


def test_every_flipped_bit_is_noticed() -> None:
    for changed in one_bit_flipped(dumps(SMALL)):
        with pytest.raises(ValueError, match=r"^model\.ckpt: .*; (check|restore|upgrade)[^-]*$"):
            loads(changed, name="model.ckpt")


def test_every_truncation_and_every_added_byte_is_noticed() -> None:
    data = dumps(SMALL)
    longer = [data + bytes([byte]) for byte in range(256)] + [data + data]
    for changed in [data[:size] for size in range(len(data))] + longer:
        with pytest.raises(ValueError, match=r"^model\.ckpt: .*; (check|restore|upgrade)[^-]*$"):
            loads(changed, name="model.ckpt")


def test_damage_says_what_was_found() -> None:
    data = dumps(SMALL)
    with pytest.raises(ValueError, match=rf"damaged.*\({len(data) - 9} bytes, .* {len(data)}\)"):
        loads(data[:-9])
    with pytest.raises(ValueError, match="cut off: 20 bytes, expected at least 52"):
        loads(data[:20])


def test_a_newer_container_is_told_from_a_damaged_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    newer = dumps(SMALL)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"format 2, this version reads 1; upgrade stream-dagmm$"):
        loads(newer)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model", "weights")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "is empty"),
        (zipped(), r"begins with b'PK"),
        (pickle.dumps({"seed": 7}), r"begins with b'\\x80"),
        (b"Dear reader,\n", "begins with b'Dear rea'"),
    ],
)
def test_a_foreign_file_is_refused_by_name(tmp_path: Path, data: bytes, found: str) -> None:
    path = tmp_path / "foreign.ckpt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"foreign\.ckpt: is not a .*{found}.*; check the path"):
        read(path)


def test_a_directory_and_a_missing_file_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.ckpt"):
        with pytest.raises(ValueError, match=rf"{path.name}: cannot be read .*; check the path"):
            read(path)


def test_a_write_replaces_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    write(path, {"learned": 1})
    write(str(path), SMALL)
    assert same(read(path), SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["model.ckpt"]


def test_a_write_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "model.ckpt"
    link.symlink_to(tmp_path / "disk" / "model.ckpt")
    write(link, SMALL)
    assert link.is_symlink()
    assert same(read(tmp_path / "disk" / "model.ckpt"), SMALL)


WRITER_THAT_RUNS_OUT_OF_ROOM = """
import resource, runpy, signal, sys
import numpy as np
write = runpy.run_path(sys.argv[3])["write"]  # the file alone: it needs no torch
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write(sys.argv[1], {"mean": np.ones(10_000)})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("on_full", ["SIG_DFL", "SIG_IGN"])
def test_a_writer_that_dies_half_way_leaves_the_old_file(tmp_path: Path, on_full: str) -> None:
    """The kernel kills the writer in the middle of its file (or, ignored, fails the write)."""
    path = tmp_path / "model.ckpt"
    write(path, SMALL)
    command = [sys.executable, "-c", WRITER_THAT_RUNS_OUT_OF_ROOM, str(path), on_full]
    command.append(str(checkpoint.__file__))
    died = subprocess.run(command, capture_output=True, check=False)
    killed = on_full == "SIG_DFL"
    assert died.returncode == (-signal.SIGXFSZ if killed else 1), died.stderr.decode()
    assert same(read(path), SMALL)
    assert len(list(tmp_path.iterdir())) == (2 if killed else 1)  # a killed one cannot tidy up
    write(path, {"learned": 2})
    assert read(path) == {"learned": 2}


def golden_tree() -> Tree:
    """What `container-1.ckpt` holds; never changed, since that file was released."""
    return {
        "seed": 2**70,
        "half_life": math.inf,
        "flags": [True, None, 1, 1.0, "naïve"],
        "arrays": {
            "float64": np.array([[0.1, -math.inf]]),
            "uint64": np.array(2**63, dtype=np.uint64),
            "bool": np.zeros((0, 3), dtype=np.bool_),
        },
    }


def test_the_container_of_format_1_is_read() -> None:
    assert same(read(GOLDEN / "container-1.ckpt"), golden_tree())


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.ckpt")), ids=lambda path: path.name)
def test_every_released_file_is_read_or_refused_with_the_way_out(path: Path) -> None:
    try:
        read(path)
    except ValueError as refusal:
        assert "; " in str(refusal)

"""A directory that holds the newest checkpoint."""

from pathlib import Path

import pytest

from stream_dagmm_connectors import DirectoryStore


def test_the_newest_checkpoint_is_loaded_and_the_directory_made_with_the_first(
    tmp_path: Path,
) -> None:
    store = DirectoryStore(tmp_path / "a" / "b")
    assert (store.load(), store.holds_one, list(tmp_path.iterdir())) == (None, False, [])
    for number in (1, 2):
        store.save({"number": number})
    assert store.load() == DirectoryStore(tmp_path / "a" / "b").load() == {"number": 2}


def test_a_fresh_store_begins_empty_and_replaces_what_is_there_with_its_own(tmp_path: Path) -> None:
    DirectoryStore(tmp_path).save({"number": 1})
    store = DirectoryStore(tmp_path, fresh=True)
    assert (store.load(), store.holds_one) == (None, False)
    assert DirectoryStore(tmp_path).load() == {"number": 1}
    store.save({"number": 2})
    assert store.load() == {"number": 2}


def test_a_damaged_checkpoint_is_named_with_the_way_out(tmp_path: Path) -> None:
    DirectoryStore(tmp_path).save({"number": 1})
    (tmp_path / "run.checkpoint").write_bytes(b"not this")
    with pytest.raises(ValueError, match=r"run\.checkpoint: is not a .*, or start with --fresh$"):
        DirectoryStore(tmp_path).load()


def test_a_place_where_no_directory_can_be_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in ("file", "file/state"):
        with pytest.raises(ValueError, match=r"cannot be \(.*file is no directory\)"):
            DirectoryStore(tmp_path / place)
    assert (tmp_path / "file").read_text() == "x"

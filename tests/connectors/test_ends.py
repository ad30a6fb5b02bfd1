"""A run that is refused says why at once and leaves everything as it was."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from stream_dagmm_connectors import places
from stream_dagmm_connectors.ends import open_ends
from stream_dagmm_connectors.settings import ReplaySettings

CONNECTORS = Path(__file__).parents[2] / "connectors"

Words = dict[str, str | bool]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a source, a configuration, a model, and outputs of another run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "linked.jsonl").symlink_to("events.jsonl")
    (tmp_path / "hard.jsonl").hardlink_to("events.jsonl")
    for name in ("run.toml", "old.model", "old.jsonl", "old.html"):
        (tmp_path / name).write_text("# something\n")
    for parts in ("old.jsonl.gz", "new.csv.gz"):
        (tmp_path / parts).mkdir()
    (tmp_path / "old.jsonl.gz" / "part-000001.jsonl.gz").write_bytes(b"rows")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / places.LABELLED_FILE).write_bytes(b"nine bytes")
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"a directory"
        for path in folder.rglob("*")
    }


def opened(words: Words) -> None:
    config = words.pop("config", None)
    settings = ReplaySettings.model_validate({"source": "events.jsonl", **words})
    with ExitStack() as stack:
        open_ends(settings, None if config is None else Path(str(config)), stack)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"out": "events.jsonl"}, "--out and SOURCE are both events.jsonl"),
        ({"out": "linked.jsonl"}, "--out and SOURCE are both"),
        ({"out": "hard.jsonl"}, "--out and SOURCE are both"),
        ({"out": "../{folder}/events.jsonl"}, "--out and SOURCE are both"),
        ({"report": "events.jsonl"}, "--report and SOURCE"),
        ({"save_model": "events.jsonl"}, "--save-model and SOURCE"),
        ({"dead_letter": "events.jsonl"}, "--dead-letter and SOURCE"),
        ({"resume": "events.jsonl"}, "--resume and SOURCE"),
        ({"out": "new.jsonl", "dead_letter": "new.jsonl"}, "--dead-letter and --out"),
        ({"out": "new.jsonl", "report": "new.jsonl.dead-letters.jsonl"}, "--report and --dead-l"),
        ({"report": "new", "save_model": "./new"}, "--save-model and --report"),
        ({"config": "run.toml", "report": "run.toml"}, "--report and --config"),
        ({"model": "old.model", "save_model": "old.model"}, "--save-model and --model"),
        ({"model": "old.model", "config": "old.model"}, "--model and --config"),
        ({"resume": "begun", "report": "begun/run.checkpoint"}, "the checkpoint in --resume and"),
        ({"resume": "begun", "report": "begun/labelled.scores"}, "the labels in --resume and"),
        ({"out": "new.csv.gz", "save_model": "new.csv.gz/part-000001.csv.gz"}, "lies in --out"),
        ({"out": "-", "dead_letter": "-"}, "are both -"),
    ],
)
def test_two_flags_for_one_place_are_refused_even_with_fresh(
    folder: Path, words: Words, said: str
) -> None:
    words = {k: str(v).format(folder=folder.name) for k, v in words.items()}
    before = tree(folder)
    with pytest.raises(ValueError) as refusal:
        opened({**words, "fresh": True})
    assert said in str(refusal.value)
    assert tree(folder) == before


@pytest.mark.parametrize(
    "words",
    [
        {"out": "old.jsonl"},
        {"out": "old.jsonl.gz"},
        {"out": "new.jsonl", "dead_letter": "old.jsonl"},
        {"out": "new.jsonl", "resume": "new", "report": "old.html"},
        {"out": "new.jsonl", "save_model": "old.model"},
        {"out": "new.jsonl", "resume": "begun", "label": "y"},
    ],
)
def test_what_is_there_is_kept_until_fresh_is_said(folder: Path, words: Words) -> None:
    before = tree(folder)
    with pytest.raises(ValueError, match=r"already holds .*--fresh"):
        opened(dict(words))
    assert tree(folder) == before
    opened({**words, "fresh": True})
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"source": "nowhere.jsonl", "out": "new.jsonl"}, "nowhere.jsonl: no such file"),
        ({"source": "begun", "out": "new.jsonl"}, "begun is a directory, expected a file"),
        ({"out": "none/new.jsonl"}, "its directory none does not exist; make it first"),
        ({"report": "none/new.html"}, "its directory none does not exist; make it first"),
        ({"out": "new.jsonl", "report": "begun"}, "begun is a directory, expected a file"),
        ({"save_model": "begun", "fresh": True}, "begun is a directory, expected a file"),
        ({"save_model": "/dev/full"}, "/dev/full is no regular file, expected a file"),
        ({"report": "/dev/null", "fresh": True}, "/dev/null is no regular file"),
        ({"out": "new.jsonl", "resume": "old.jsonl/state"}, "old.jsonl is no directory"),
        ({"out": "new.txt"}, "its ending tells no format"),
        ({"out": "-", "resume": "new"}, "--resume needs outputs that can be cut back"),
        ({"dead_letter": "-", "resume": "new"}, "--resume needs outputs that can be cut back"),
    ],
)
def test_a_place_that_cannot_be_is_named(folder: Path, words: Words, said: str) -> None:
    before = tree(folder)
    with pytest.raises(ValueError) as refusal:
        opened(dict(words))
    assert said in str(refusal.value)
    assert tree(folder) == before


def test_outputs_may_lie_in_the_state_directory_that_the_run_makes(folder: Path) -> None:
    opened({"out": "runs/1/new.jsonl", "resume": "runs/1"})
    assert not (folder / "runs").exists()


def test_dead_letters_are_named_after_the_whole_output_and_default_to_json_lines(
    folder: Path,
) -> None:
    def named(**words: str) -> str | None:
        return places.dead_letter_file(ReplaySettings(source="shuttle", **words))  # type: ignore[arg-type]

    assert named(out="o.csv") == "o.csv.dead-letters.jsonl"
    assert named(out="in/o.jsonl") == "in/o.jsonl.dead-letters.jsonl"
    assert named(out="o.csv", dead_letter="bad") == "bad"
    assert named(out="o.csv", on_error="skip") is None
    assert named(out="-") is None
    opened({"dead_letter": "an ending.of its own"})


def test_the_bundled_streams_label_is_never_a_feature() -> None:
    def kept_out(**words: object) -> set[str | None]:
        settings = ReplaySettings.model_validate({"source": "shuttle", **words})
        return {places.label_of(settings), *places.ignored(settings)}

    assert kept_out() == {"anomaly"}
    assert kept_out(label="f1", ignore=("f2",)) == {"f1", "f2", "anomaly"}
    assert kept_out(source="anomaly.csv", label="y") == {"y"}


CHILD = """
import sys
from stream_dagmm_connectors.cli import main
try:
    main(sys.argv[1:])
finally:
    print(sorted({"torch", "river"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    "words", [["events.jsonl", "--out", "old.jsonl", "--resume", "new"], ["nowhere.csv"]]
)
def test_a_refusal_waits_for_no_torch_and_leaves_nothing_behind(
    folder: Path, words: list[str]
) -> None:
    before = tree(folder)
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, "replay", *words],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(CONNECTORS)},
    )
    assert (ended.returncode, ended.stdout.strip()) == (2, b"[]"), ended.stderr
    assert tree(folder) == before

"""Settings: flags beat the environment, which beats the file; a wrong one is named."""

from pathlib import Path

import pytest

from stream_dagmm_connectors.loading import read_file
from stream_dagmm_connectors.settings import ReplaySettings, load


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(
        'detector = "gaussian-mixture"\nalarm-rate = 0.01\nseed = 3\nignore = ["a", "b"]\n'
        "[detector_options]\nn_components = 2\nhalf_life = 50\n"
    )
    return path


def test_flags_beat_the_environment_which_beats_the_file(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load({"source": "x"}, toml).alarm_rate == 0.01
    monkeypatch.setenv("STREAM_DAGMM_ALARM_RATE", "0.02")
    assert load({"source": "x"}, toml).alarm_rate == 0.02
    assert load({"source": "x", "alarm_rate": "0.03"}, toml).alarm_rate == 0.03


def test_what_nobody_said_has_the_documented_default() -> None:
    settings = load({"source": "x"})
    assert (settings.alarm_rate, settings.explain_below) == (0.001, 0.01)
    assert (settings.detector, settings.on_error, settings.learn) == ("dagmm", "dead-letter", True)


def test_options_of_the_detector_come_from_flags_and_from_their_table(toml: Path) -> None:
    settings = load({"source": "x", "half_life": "inf"}, toml)
    expected = {"n_components": 2, "half_life": float("inf"), "seed": 3}
    assert settings.detector_arguments() == expected
    assert settings.ignore == ("a", "b")


def test_a_yaml_file_says_the_same_as_a_toml_file(toml: Path, tmp_path: Path) -> None:
    yaml = tmp_path / "run.yaml"
    yaml.write_text(
        "detector: gaussian-mixture\nalarm-rate: 0.01\nseed: 3\nignore: [a, b]\n"
        "detector_options: {n_components: 2, half_life: 50}\n"
    )
    assert read_file(yaml) == read_file(toml)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"alarm_rate": "3"}, "--alarm-rate is '3', expected less than or equal to 1"),
        ({"alarm_rate": "often"}, "--alarm-rate is 'often', expected a valid number"),
        ({"alarm_rate": "nan"}, "--alarm-rate is 'nan', expected "),
        (
            {"checkpoint_every": "0"},
            "--checkpoint-every is '0', expected greater than or equal to 1",
        ),
        (
            {"on_error": "ignore"},
            "--on-error is 'ignore', expected 'dead-letter', 'skip' or 'fail'",
        ),
        ({"half_life": "-3"}, "--half-life is '-3', expected greater than 0"),
        ({"rename": ("a=",)}, "--rename is ('a=',), expected pairs OLD=NEW"),
        ({"rate": "-1"}, "--rate is '-1', expected a number above 0, or 'real-time'"),
        ({"rate": "fast"}, "--rate is 'fast', expected "),
    ],
)
def test_a_wrong_flag_is_named_with_its_value_and_what_is_allowed(
    flags: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError) as refusal:
        load({"source": "x", **flags})
    assert str(refusal.value).startswith(said)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_DAGMM_SEED", "minus one")
    with pytest.raises(
        ValueError, match=r"^STREAM_DAGMM_SEED is 'minus one', expected a valid int"
    ):
        load({"source": "x"})
    monkeypatch.delenv("STREAM_DAGMM_SEED")
    monkeypatch.setenv("STREAM_DAGMM_IGNORE", "a,b")
    with pytest.raises(ValueError, match=r"^STREAM_DAGMM_IGNORE is 'a,b', expected JSON"):
        load({"source": "x"})


def test_every_wrong_key_of_a_file_is_named_on_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('seed = -1\nalram_rate = 0.1\nlearn = "maybe"\n')
    with pytest.raises(ValueError) as refusal:
        load({"source": "x"}, path)
    first, second, third = sorted(str(refusal.value).splitlines())
    assert first.startswith(
        f"{path}: alram_rate: unknown key; expected perhaps alarm_rate, else one"
    )
    assert second.startswith(f"{path}: learn is 'maybe', expected a valid boolean")
    assert third.startswith(f"{path}: seed is -1, expected greater than or equal to 0")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("run.toml", "seed = ", "is not TOML"),
        ("run.yaml", "{", "is not YAML"),
        ("run.yaml", "- 1\n- 2\n", "holds a list, expected keys with values"),
        ("run.json", "{}", "got the ending '.json', expected .toml, .yaml or .yml"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError) as refusal:
        read_file(path)
    assert said in str(refusal.value)


def test_an_empty_file_says_nothing_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_file(tmp_path / "empty.yaml") == {}
    with pytest.raises(ValueError, match=r"none\.toml cannot be read: No such file"):
        read_file(tmp_path / "none.toml")


def test_a_source_that_nobody_named_is_missing_by_name() -> None:
    with pytest.raises(ValueError, match="source is missing; name it on the command line"):
        load({})


def test_every_option_says_what_it_is() -> None:
    assert all(field.description for field in ReplaySettings.model_fields.values())

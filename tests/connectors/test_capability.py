"""--cpu-capability: the same bits on machines of several kinds, and a refusal where they differ."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from stream_dagmm_connectors.capability import environment

PROGRAM = Path(sys.executable).with_name("stream-dagmm")


def stream_dagmm(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def fingerprint(**environment: str) -> dict[str, str]:
    code = "from stream_dagmm import GaussianMixture as G; import orjson, sys; "
    code += "sys.stdout.buffer.write(orjson.dumps(G().fingerprint()))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
    )
    found: dict[str, str] = orjson.loads(run.stdout)
    return found


def test_a_level_pins_torch_and_numpy_and_the_fingerprint_says_so() -> None:
    told = {"found": ["X86_V3", "X86_V4"], "not found": []}
    pinned = environment("default", told)
    assert pinned["NPY_DISABLE_CPU_FEATURES"] == "X86_V3,X86_V4"
    assert fingerprint(**pinned)["cpu"] == "DEFAULT"
    alone = {"ATEN_CPU_CAPABILITY": "default", "NPY_DISABLE_CPU_FEATURES": ""}
    assert fingerprint(**alone)["cpu"] != "DEFAULT", "NumPy's own choice went unsaid"


def test_a_level_that_the_processor_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="finds none of X86_V4, AVX512F"):
        environment("avx512", {"found": ["X86_V3"], "not found": ["X86_V4"]})


def test_a_resumed_run_refuses_another_capability_and_goes_on_under_its_own(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("".join(f'{{"a": {n % 7}, "b": {n % 11}}}\n' for n in range(200)))
    words = ["replay", str(events), "--detector", "gaussian-mixture", "--seed", "1"]
    words += ["--out", str(tmp_path / "out.jsonl"), "--resume", str(tmp_path / "state")]
    first = stream_dagmm(*words, "--cpu-capability", "default")
    assert first.returncode == 0, first.stderr
    other = stream_dagmm(*words)
    assert other.returncode == 2
    assert 'arithmetic.cpu: "DEFAULT" there' in other.stderr
    with events.open("a") as file:
        file.write('{"a": 1, "b": 2}\n')
    again = stream_dagmm(*words, STREAM_DAGMM_CPU_CAPABILITY="default")
    assert again.returncode == 0, again.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 201

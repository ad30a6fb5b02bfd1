"""Everything in `deploy/` is what its reader expects, and agrees with everything else there."""

import copy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.loading import load_as
from stream_dagmm_connectors.serving import RunSettings
from tests import container
from tests.container import DEPLOY, MANIFESTS

KUBERNETES = ("1.31", "1.37")
PROGRAMS = Path(sys.executable).parent


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAMS / words[0], *words[1:]], capture_output=True, text=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_a_manifest_is_what_kubernetes_takes(file: Path, version: str) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_field_is_seen() -> None:
    wrong = copy.deepcopy(container.documents()["StatefulSet"])
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 40
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


def compose_errors(file: Path) -> str:
    done = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file))
    return done.stdout if done.returncode else ""


def test_the_compose_file_is_what_compose_takes(tmp_path: Path) -> None:
    assert compose_errors(DEPLOY / "compose.yaml") == ""
    wrong = container.compose()
    wrong["services"]["scorer"]["read_onyl"] = True
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    assert "read_onyl" in compose_errors(tmp_path / "wrong.yaml")


def test_the_dockerfile_passes_its_lint(tmp_path: Path) -> None:
    done = run("hadolint", str(DEPLOY / "Dockerfile"))
    assert done.returncode == 0, done.stdout
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp\n")
    assert "DL3006" in run("hadolint", str(tmp_path / "Dockerfile")).stdout


def test_whatever_the_image_copies_is_let_through_to_its_build() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    copies = [
        line.split()[1:-1]
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY") and "--from" not in line
    ]
    assert {name for names in copies for name in names} == let_through
    assert all((container.REPOSITORY / name).exists() for name in let_through)


def statefulset() -> dict[str, Any]:
    held: dict[str, Any] = container.documents()["StatefulSet"]["spec"]
    return held


def test_the_objects_find_each_other() -> None:
    held, kinds = statefulset(), container.documents()
    pods = held["template"]["metadata"]["labels"]
    assert held["selector"]["matchLabels"].items() <= pods.items()
    assert kinds["PodDisruptionBudget"]["spec"]["selector"] == held["selector"]
    assert kinds["Service"]["spec"]["selector"].items() <= pods.items()
    assert held["serviceName"] == kinds["Service"]["metadata"]["name"]
    volumes = {one["name"]: one for one in held["template"]["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == kinds["ConfigMap"]["metadata"]["name"]
    assert volumes["secret"]["secret"]["secretName"] == kinds["Secret"]["metadata"]["name"]
    service = container.compose()["services"]["scorer"]
    assert held["template"]["spec"]["containers"][0]["image"] == service["image"]


def config() -> dict[str, Any]:
    return tomllib.loads(container.documents()["ConfigMap"]["data"]["config.toml"])


def test_the_settings_in_the_manifests_are_settings_of_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(container.documents()["ConfigMap"]["data"]["config.toml"])
    in_a_pod = load_as(RunSettings, {}, tmp_path / "config.toml")
    for name, value in container.of_compose().env.items():
        monkeypatch.setenv(name, value)
    in_compose = load_as(RunSettings, {})
    assert in_a_pod.metrics_port == in_compose.metrics_port == int(container.image()["EXPOSE"])
    (one,) = statefulset()["template"]["spec"]["containers"]
    assert [port["containerPort"] for port in one["ports"]] == [in_a_pod.metrics_port]


def test_the_time_to_leave_is_longer_than_draining_and_closing() -> None:
    enough_s = config()["drain_timeout"] + 10
    assert statefulset()["template"]["spec"]["terminationGracePeriodSeconds"] > enough_s
    grace = container.compose()["services"]["scorer"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > enough_s


def test_nothing_in_a_pod_may_be_written_or_gained() -> None:
    spec = statefulset()["template"]["spec"]
    (one,) = spec["containers"]
    assert one["securityContext"]["readOnlyRootFilesystem"]
    assert not one["securityContext"]["allowPrivilegeEscalation"]
    assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] == int(container.image()["USER"].split(":")[0])
    written = [on["mountPath"] for on in one["volumeMounts"] if not on.get("readOnly")]
    assert written == ["/tmp"]
    service = container.compose()["services"]["scorer"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]


@pytest.mark.needs("awk")
def test_the_demo_producer_gives_events() -> None:
    decoder = Decoder()
    words = ["awk", "-f", str(DEPLOY / "demo-events.awk")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise AssertionError("no pipe")
        lines = [process.stdout.readline() for _ in range(40)]
        process.kill()
    assert all(isinstance(decoder.decode(line), Event) for line in lines)

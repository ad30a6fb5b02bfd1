"""What would run in a container, read out of `deploy/`, and a place as bare to run it in.

No container engine is needed: a mount namespace, an own root of read-only binds, a user without
name, capabilities or a writable directory. What differs from the image is who made the files in it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

REPOSITORY = Path(__file__).parents[1]
DEPLOY = REPOSITORY / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))

SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/proc", "/dev", "/sys")
ENTER = """
set -eu
root=$1 user=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    if [ "$1" = memory ]; then
        mount -t tmpfs -o mode=1777,size=16m tmpfs "$root$2"
    else
        mount --rbind "$1" "$root$2"
        mount -o remount,bind,ro "$root$2" 2>/dev/null || true
    fi
    shift 2
done
shift
mount -o remount,ro "$root"
exec /usr/sbin/chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""
"""ROOT USER (FROM TO)... -- COMMAND: one process from first to last, so a signal reaches it. What
comes from "memory" is empty and may be written."""


class Container(NamedTuple):
    """A command as an engine would start it."""

    command: list[str]
    env: dict[str, str]
    user: int
    scratch: list[str]
    """Where it may write, to memory."""


def documents() -> dict[str, dict[str, Any]]:
    """Kubernetes' objects by kind."""
    held = [one for file in MANIFESTS for one in yaml.safe_load_all(file.read_text())]
    return {one["kind"]: one for one in held}


def compose() -> dict[str, Any]:
    """The compose file."""
    held: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return held


def image() -> dict[str, str]:
    """The last value of each instruction of the image's last stage; all of ENV in one."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    said: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            said = {}
        elif word.isupper():
            said[word] = rest.strip()
    return said


def of_compose() -> Container:
    """The scorer of the compose file."""
    service, made = compose()["services"]["scorer"], image()
    return _container(made, service["command"], service["environment"], service["tmpfs"])


def of_kubernetes(pod: str) -> Container:
    """The container of the StatefulSet, in a pod of this name."""
    spec = documents()["StatefulSet"]["spec"]["template"]["spec"]
    (one,) = spec["containers"]
    fields = {"metadata.name": pod}
    env = {
        entry["name"]: entry["value"]
        if "value" in entry
        else fields[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        for entry in one["env"]
    }
    volumes = [volume["name"] for volume in spec["volumes"] if "emptyDir" in volume]
    scratch = [on["mountPath"] for on in one["volumeMounts"] if on["name"] in volumes]
    container = _container(image(), one["args"], env, scratch)
    return container._replace(user=spec["securityContext"]["runAsUser"])


def _container(
    made: Mapping[str, str], words: list[str], env: Mapping[str, str], scratch: list[str]
) -> Container:
    told = dict(pair.split("=", 1) for pair in shlex.split(made["ENV"]))
    user, _, _ = made["USER"].partition(":")
    command = [*yaml.safe_load(made["ENTRYPOINT"]), *words]
    return Container(command, {**told, **env}, int(user), scratch)


def start(
    container: Container, root: Path, mounted: Mapping[str, Path], more: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Start it in a root of its own, with these directories mounted where the manifest says."""
    bound = {name: name for name in SYSTEM}
    for path in (sys.base_prefix, sys.prefix, str(REPOSITORY)):
        if not path.startswith("/usr"):
            bound[path] = path
    bound |= {where: str(folder) for where, folder in mounted.items()}
    bound |= dict.fromkeys(container.scratch, "memory")
    # The outer ones first: a checkout may lie in /tmp, which is a mount too.
    pairs = [word for where, folder in sorted(bound.items()) for word in (folder, where)]
    env = {**container.env, **more}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    root.mkdir()
    return subprocess.Popen(
        _entering(root, container.user, pairs, container.command),
        env=env,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _entering(root: Path, user: int, pairs: Sequence[str], command: Sequence[str]) -> list[str]:
    outside = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"]
    return [*outside, str(root), str(user), *pairs, "--", *command]

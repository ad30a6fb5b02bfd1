"""Apache Kafka's jars from Maven Central, copied once into the build folder."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "broker"
JARS = BUILD / "jars-4.3.1"
"""Named by the version in pom.xml, so that a new version is not mistaken for an old folder."""

INSTALL_TIMEOUT_S = 300


def installed() -> Path:
    """The folder with the jars; fetched by Maven the first time (5 s where the network is fast)."""
    if not JARS.exists():
        _fetch(JARS.with_name(JARS.name + ".part"))
    return JARS


def _fetch(partial: Path) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "pom.xml")]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    command += [f"-DoutputDirectory={partial}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(f"mvn could not copy Kafka's jars: {done.stdout[-2000:]}{done.stderr}")
    partial.rename(JARS)

"""xStream and RRCF, from PySAD: run by the interpreter of an environment that has it.

Called as `python pysad_peers.py NAME SEED ROWS.npy SCORES.npy`; prints seconds and versions.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

PYSAD = "0.7.0"


def environment() -> Path:
    """The interpreter of an environment with PySAD, made inside this one where it is missing."""
    home = Path(sys.prefix) / f"pysad-{PYSAD}"
    python = home / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    if not (home / "complete").exists():
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(home)], check=True)
        install = ["pip", "install", "--python", str(python), f"pysad=={PYSAD}"]
        subprocess.run([*uv, *install], check=True)
        (home / "complete").touch()
    return python


def main(name: str, seed: str, rows_path: str, scores_path: str) -> None:
    """Scores each row before it is learned, one by one."""
    import numpy as np
    from pysad import models  # type: ignore[import-not-found]

    rows = np.load(rows_path)
    model = getattr(models, name)(random_state=int(seed))
    before = time.process_time()
    scores = np.empty(len(rows))
    for place, row in enumerate(rows):
        scores[place] = model.score_partial(row)
        model.fit_partial(row)
    seconds = time.process_time() - before
    np.save(scores_path, scores)
    versions = {package: version(package) for package in ("pysad", "numpy")}
    print(json.dumps({"seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
else:
    import numpy as np

    from stream_dagmm.arithmetic import Floats

    def scored(name: str, seed: int, rows: Floats) -> tuple[Floats, float, dict[str, str]]:
        """Scores [B] of rows [B, D], the seconds they took, and the versions of what made them."""
        python = environment()
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder) / "rows.npy", Path(folder) / "scores.npy"
            np.save(given, rows)
            # -P: the modules beside this file are not to be taken for packages of the same name.
            command = [str(python), "-P", __file__, name, str(seed), str(given), str(found)]
            one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=one_thread)
            said = json.loads(done.stdout)
            return np.load(found), said["seconds"], said["versions"]

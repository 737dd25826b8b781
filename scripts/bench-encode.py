"""Measures the CPU time of `linkage encode`; run by scripts/bench-encode."""

import os
import resource
import subprocess
import sys
from pathlib import Path

PROGRAM, SCHEMA, FOLDER, RECORDS = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
RUNS = 5


def run():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [PROGRAM, "encode", FOLDER / "data" / "health.csv", "--schema", SCHEMA, "--key", FOLDER / "key",
         "--out", FOLDER / "a.tokens", "--force", "--json"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "RAYON_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


seconds = [run() for _ in range(RUNS)]
shown = ", ".join(f"{one:.3f}" for one in seconds)
best = min(seconds)
print(f"file to batch: {RECORDS / best:.0f} records per CPU second, {best / RECORDS * 1e6:.2f} us a record (runs: {shown})")

"""Compares CPU time with the package clkhash; run by scripts/bench-clkhash."""

import base64
import csv
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from clkhash import clk, schema

PROGRAM, FEBRL, FOLDER, RECORDS = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
RUNS = 3
SECRET = "a secret for measuring"


def feature(name, n, strategy, positional=False, form=None):
    return {"identifier": name, "format": form or {"type": "string"},
            "hashing": {"comparison": {"type": "ngram", "n": n, "positional": positional}, "strategy": strategy}}


DATE = {"type": "date", "format": "%Y%m%d"}
NUMBER = {"type": "integer"}
SCHEMA = {
    "version": 3,
    "clkConfig": {"l": 1024, "kdf": {"type": "HKDF"}},
    "features": [
        {"identifier": "rec_id", "ignored": True},
        feature("given_name", 2, {"bitsPerFeature": 200}),
        feature("surname", 2, {"bitsPerFeature": 200}),
        feature("street_number", 1, {"bitsPerToken": 10}, True, NUMBER),
        feature("address_1", 2, {"bitsPerToken": 5}),
        feature("address_2", 2, {"bitsPerToken": 5}),
        feature("suburb", 2, {"bitsPerToken": 10}),
        feature("postcode", 1, {"bitsPerToken": 15}, True),
        feature("state", 2, {"bitsPerToken": 10}),
        feature("date_of_birth", 1, {"bitsPerToken": 15}, True, DATE),
        feature("soc_sec_id", 1, {"bitsPerToken": 15}, True, NUMBER),
    ],
}
for name in ("street_number", "date_of_birth", "soc_sec_id"):
    for one in SCHEMA["features"]:
        if one["identifier"] == name:
            one["hashing"]["missingValue"] = {"sentinel": ""}


def people():
    """Persons whose values are drawn column by column; numbers that are nearly all different."""
    rows = []
    for name in ("dataset4a.csv", "dataset4b.csv"):
        with open(FEBRL / name, newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            next(reader)
            rows.extend(reader)
    columns = list(zip(*rows))
    for at, one in enumerate(SCHEMA["features"]):
        if one.get("format", {}).get("type") == "integer":
            columns[at] = [value for value in columns[at] if value.isdigit()] + [""]
    days = [f"{year}{month:02}{day:02}" for year in range(1920, 2010) for month in range(1, 13) for day in range(1, 29)]
    draw = random.Random(1)
    with open(FOLDER / "people.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([one["identifier"] for one in SCHEMA["features"]])
        for number in range(RECORDS):
            row = [draw.choice(column) for column in columns]
            row[0], row[9], row[10] = f"rec-{number}", draw.choice(days), str(draw.randrange(10**6, 10**7))
            writer.writerow(row)


def package():
    start = time.process_time()
    with open(FOLDER / "people.csv", newline="") as file:
        with open(FOLDER / "schema.json") as text:
            made = schema.from_json_dict(json.load(text))
        encodings = clk.generate_clk_from_csv(file, SECRET, made, progress_bar=False, max_workers=1)
    with open(FOLDER / "package.json", "w") as file:
        json.dump({"clks": [base64.b64encode(one.tobytes()).decode() for one in encodings]}, file)
    return time.process_time() - start


def program():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [PROGRAM, "clkhash", "encode", FOLDER / "people.csv", "--schema", FOLDER / "schema.json", "--secret-file",
         FOLDER / "secret", "--out", FOLDER / "program.json", "--force", "--json"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "RAYON_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def best(name, run):
    seconds = [run() for _ in range(RUNS)]
    shown = ", ".join(f"{one:.3f}" for one in seconds)
    print(f"{name:24} {min(seconds):9.3f} s CPU  {min(seconds) / RECORDS * 1e6:8.2f} us a record  (runs: {shown})", flush=True)
    return min(seconds)


people()
(FOLDER / "schema.json").write_text(json.dumps(SCHEMA))
(FOLDER / "secret").write_text(SECRET)
os.chmod(FOLDER / "secret", 0o600)
print(f"bench-clkhash: {RECORDS} records, {len(SCHEMA['features']) - 1} features, best of {RUNS}", flush=True)
ours = best("linkage clkhash encode", program)
theirs = best("clkhash 0.18.3", package)
if (FOLDER / "program.json").read_bytes() != (FOLDER / "package.json").read_bytes():
    sys.exit("bench-clkhash: the encodings DIFFER")
print(f"the same {RECORDS} encodings, byte for byte; {theirs / ours:.0f} times fewer CPU seconds")

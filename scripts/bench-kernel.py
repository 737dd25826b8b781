"""Compares the all-pairs join with anonlink, FAISS and usearch; run by scripts/bench-kernel."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PROGRAM, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
ROWS, RUNS = int(sys.argv[3]), int(sys.argv[4])
THRESHOLD = 0.8
FILL = 0.36

SYLLABLES = [a + b for a in ("b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "zh", "ch", "sh", "r", "z", "c", "s", "y", "w")
             for b in ("a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "i", "ian", "in", "ing", "iu", "ong", "u", "ui", "un", "uo")]


def skewed(draw, values):
    """Zipf-like: the first values are the most common, as with surnames."""
    return values[min(int(len(values) ** draw.random()) - 1, len(values) - 1)]


def person(draw):
    born = f"{draw.randrange(1940, 2010)}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"
    given = "".join(skewed(draw, SYLLABLES) for _ in range(1 if draw.random() < 0.2 else 2))
    district = f"{skewed(draw, range(300)) + 110100:06}"
    return {
        "surname": skewed(draw, SYLLABLES[:400]), "given": given, "born": born, "sex": draw.choice("MF"),
        "id": f"{district}{born}{draw.randrange(1000):03}{draw.choice('0123456789X')}",
        "phone": f"1{draw.choice('35789')}{draw.randrange(10**9):09}",
    }


def typo(draw, text, letters):
    if not text:
        return text
    at = draw.randrange(len(text))
    return text[:at] + draw.choice(letters) + text[at + 1:]


def disturbed(draw, one, rate):
    """The same person as another register has it, with `rate` times the usual errors."""
    one = dict(one)
    happens = lambda share: draw.random() < share * rate
    if happens(0.08):
        one["given"] = typo(draw, one["given"], "abcdefghijklmnopqrstuvwxyz")
    if happens(0.005):
        one["surname"] = skewed(draw, SYLLABLES[:400])
    if happens(0.01):
        one["born"] = ""
    elif happens(0.015):
        one["born"] = typo(draw, one["born"], "0123456789")
    elif happens(0.01):
        one["born"] = one["born"][:4] + one["born"][6:] + one["born"][4:6]
    if happens(0.05):
        one["id"] = ""
    elif happens(0.02):
        one["id"] = typo(draw, one["id"], "0123456789")
    if happens(0.10):
        one["phone"] = ""
    elif happens(0.15):
        one["phone"] = person(draw)["phone"]
    elif happens(0.02):
        one["phone"] = typo(draw, one["phone"], "0123456789")
    return one


def features(one, fields):
    found = []
    for field in fields:
        text = one[field]
        if field in ("surname", "given"):
            text = f" {text} "
            found += [(field, text[at:at + 2]) for at in range(len(text) - 1)]
        elif field == "sex":
            found.append((field, text))
        elif text:
            found += [(field, at // 2, text[at:at + 2]) for at in range(len(text) - 1)]
    return found


def tokens(people, fields, bits):
    """Keyed Bloom filters with as many positions a feature as give the fill that is wanted."""
    lists = [features(one, fields) for one in people]
    mean = sum(map(len, lists)) / len(lists)
    wanted = -bits * np.log(1 - FILL) / mean
    known = {}

    def positions(feature):
        if feature not in known:
            digest = hashlib.shake_128(repr(feature).encode()).digest(4 * 64)
            drawn = np.frombuffer(digest, dtype="<u4")
            count = int(wanted) + (drawn[-1] / 2**32 < wanted - int(wanted))
            known[feature] = drawn[:count] % bits
        return known[feature]

    rows = np.zeros((len(people), bits), dtype=np.uint8)
    for row, found in zip(rows, lists):
        row[np.concatenate([positions(one) for one in found])] = 1
    return np.packbits(rows, axis=1, bitorder="little")


def registers(rows):
    draw = random.Random(20240101)
    truth = [person(draw) for _ in range(rows + rows // 2)]
    a = [disturbed(draw, one, 0.5) for one in truth[:rows]]
    b = [disturbed(draw, one, 1.0) for one in truth[rows // 2:]]
    draw.shuffle(b)
    return a, b[:rows]


FIELDS = {"rich": ["surname", "given", "born", "sex", "id", "phone"], "lean": ["surname", "given", "born", "sex"]}


def best(name, pairs, run):
    """Least CPU seconds of some runs, and what the last one found."""
    seconds, result = [], None
    for _ in range(RUNS):
        start = time.process_time()
        result = run()
        seconds.append(time.process_time() - start)
    print(f"  {name:26} {min(seconds):9.4f} s CPU {pairs / min(seconds) / 1e9:8.3f} Gpair/s", flush=True)
    return min(seconds), result


def ours(kind, bits, threshold, isa, method, pairs, show=True, runs=3 * RUNS):
    line = subprocess.run(
        [PROGRAM, FOLDER / f"{kind}-{bits}-a", FOLDER / f"{kind}-{bits}-b", str(bits), str(threshold), isa, method,
         str(runs), FOLDER / "hits"],
        check=True, capture_output=True, text=True, env={**os.environ, "RAYON_NUM_THREADS": "1"}).stdout
    report = json.loads(line)
    if show:
        print(f"  linkage {isa:8} {method:9} {report['seconds']:9.4f} s CPU {pairs / report['seconds'] / 1e9:8.3f} Gpair/s  "
              f"{report['method']} {report['groups']}x{report['group_bits']}", flush=True)
    return report["seconds"], np.fromfile(FOLDER / "hits", dtype="<u4").reshape(-1, 3)


def anonlink_hits(a, b, threshold):
    import anonlink
    from bitarray import bitarray

    def filters(rows):
        made = []
        for row in rows:
            one = bitarray(endian="little")
            one.frombytes(row.tobytes())
            made.append(one)
        return made

    a, b = filters(a), filters(b)
    similar = anonlink.similarities.dice_coefficient_accelerated
    return lambda: similar((a, b), threshold, k=None)


def same(theirs, hits):
    """Whether both found the same pairs."""
    _, (rows_a, rows_b) = theirs
    theirs = np.stack([np.asarray(rows_a), np.asarray(rows_b)], axis=1).astype(np.uint32)
    order = np.lexsort((theirs[:, 1], theirs[:, 0]))
    return np.array_equal(theirs[order], hits[:, :2])


def set_up(a, b):
    for kind, fields in FIELDS.items():
        for bits in (512, 1024):
            if kind == "lean" and bits == 1024:
                continue
            for side, people in (("a", a), ("b", b)):
                tokens(people, fields, bits).tofile(FOLDER / f"{kind}-{bits}-{side}")


def load(kind, bits):
    return [np.fromfile(FOLDER / f"{kind}-{bits}-{side}", dtype=np.uint8).reshape(-1, bits // 8) for side in "ab"]


def faiss_radius(a, b):
    """The Hamming distance that holds every pair over the threshold: FAISS knows no Dice."""
    most = [np.bitwise_count(side).sum(axis=1, dtype=np.int64).max() for side in (a, b)]
    return int((1 - THRESHOLD) * sum(most)) + 1


FAILURES = []


def floor(what, ratio, least):
    verdict = "ok" if ratio >= least else "BELOW THE FLOOR"
    print(f"  {what:52} {ratio:7.1f}  floor {least:5.1f}  {verdict}", flush=True)
    if ratio < least:
        FAILURES.append(what)


def compare(kind, bits, floors):
    import faiss
    from usearch.index import MetricKind, search

    faiss.omp_set_num_threads(1)
    a, b = load(kind, bits)
    pairs = len(a) * len(b)
    ones = [np.bitwise_count(side).sum(axis=1).mean() / bits for side in (a, b)]
    print(f"{kind} {bits}: {len(a)} x {len(b)}, fill {ones[0]:.3f} and {ones[1]:.3f}, Dice >= {THRESHOLD}", flush=True)
    seconds, hits = ours(kind, bits, THRESHOLD, "best", "auto", pairs)
    full, found = ours(kind, bits, THRESHOLD, "best", "full", pairs)
    if not np.array_equal(found, hits):
        sys.exit("bench-kernel: the methods found DIFFERENT pairs")
    anonlink_seconds, theirs = best("anonlink", pairs, anonlink_hits(a, b, THRESHOLD))
    if not same(theirs, hits):
        sys.exit("bench-kernel: anonlink found DIFFERENT pairs")
    floor("join / anonlink", anonlink_seconds / seconds, floors["anonlink"])
    if "full" in floors:
        floor("full width / anonlink", anonlink_seconds / full, floors["full"])
    if "faiss" in floors:
        index = faiss.IndexBinaryFlat(bits)
        index.add(b)
        radius = faiss_radius(a, b)
        faiss_seconds, _ = best("FAISS range search", pairs, lambda: index.range_search(a, radius))
        floor("join / FAISS range search", faiss_seconds / seconds, floors["faiss"])
    if "usearch" in floors:
        part = a[:len(a) // 8]
        usearch_seconds, _ = best("usearch exact", len(part) * len(b), lambda: search(b, part, 1, MetricKind.Tanimoto, exact=True, threads=1))
        floor("join / usearch", usearch_seconds * len(a) / len(part) / seconds, floors["usearch"])
    for isa in ("avx2", "portable"):
        if isa in floors:
            other, found = ours(kind, bits, THRESHOLD, isa, "auto", pairs)
            if not np.array_equal(found, hits):
                sys.exit(f"bench-kernel: {isa} found DIFFERENT pairs")
            floor(f"join, {isa} / anonlink", anonlink_seconds / other, floors[isa])


def same_at_thresholds(kind, bits):
    a, b = load(kind, bits)
    for threshold in (0.7, 0.75, 0.85, 0.9):
        seconds, hits = ours(kind, bits, threshold, "best", "auto", len(a) * len(b))
        if not same(anonlink_hits(a, b, threshold)(), hits):
            sys.exit(f"bench-kernel: anonlink found DIFFERENT pairs at {threshold}")
        full, _ = ours(kind, bits, threshold, "best", "full", len(a) * len(b), show=False)
        floor(f"{len(hits)} pairs as anonlink at {threshold}; full width / auto", full / seconds, 0.9)


def never_slower(kind, bits):
    """Whatever the sample chooses, at thresholds beyond those of linkage: strangers by the million, or next to none."""
    a, b = load(kind, bits)
    for threshold in (0.5, 0.6, 0.95):
        # Listing tens of millions of pairs takes seconds.
        runs = 2 if threshold < 0.7 else 3 * RUNS
        seconds, hits = ours(kind, bits, threshold, "best", "auto", len(a) * len(b), runs=runs)
        full, found = ours(kind, bits, threshold, "best", "full", len(a) * len(b), show=False, runs=runs)
        if not np.array_equal(found, hits):
            sys.exit(f"bench-kernel: the methods found DIFFERENT pairs at {threshold}")
        floor(f"{kind}, {len(hits)} pairs at {threshold}; full width / auto", full / seconds, 0.9)


if __name__ == "__main__":
    set_up(*registers(ROWS))
    compare("rich", 512, {"anonlink": 40, "full": 11, "faiss": 9, "usearch": 170, "avx2": 15, "portable": 8})
    compare("rich", 1024, {"anonlink": 20, "faiss": 14})
    compare("lean", 512, {"anonlink": 35})
    same_at_thresholds("rich", 512)
    never_slower("rich", 512)
    never_slower("lean", 512)
    if FAILURES:
        sys.exit(f"bench-kernel: below the floor: {', '.join(FAILURES)}")

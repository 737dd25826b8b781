"""Compares quality and CPU time with the package splink; run by scripts/bench-splink."""

import csv
import json
import os
import re
import resource
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

PROGRAM, DATA, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
ROWS = int(sys.argv[4]) if len(sys.argv) > 4 else None
SEED = os.environ.get("SEED", "11")
MEMORY = os.environ.get("MEMORY")
warnings.filterwarnings("ignore")


def load_packages():
    """Late: a process that this one becomes has at least its peak memory."""
    global duckdb, pandas, levels, lazy_pinyin, DuckDBAPI, Linker, SettingsCreator, block_on
    import duckdb
    import pandas
    import splink.comparison_library as levels
    from pypinyin import lazy_pinyin
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on


def cpu(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def program(*arguments):
    done = subprocess.run([PROGRAM, *arguments, "--json"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)


# --- data: two files a set, and which records belong together ---


def febrl(rows, name, belongs):
    """Splits Febrl rows in two files; the number in an id is the person."""
    folder = FOLDER / name
    folder.mkdir()
    truth = []
    for side in (0, 1):
        chosen = [row for row in rows if belongs(row["rec_id"]) == side]
        with open(folder / f"{'ab'[side]}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, [column for column in rows[0] if column != "soc_sec_id"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(chosen)
        truth += [("ab"[side], row["rec_id"], row["rec_id"].split("-")[1]) for row in chosen]
    with open(folder / "truth.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "record_id", "entity_id"])
        writer.writerows(truth)
    return folder, ["a", "b"]


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, skipinitialspace=True))


def febrl4():
    rows = read(DATA / "febrl4/dataset4a.csv") + read(DATA / "febrl4/dataset4b.csv")

    def belongs(name):
        number = int(name.split("-")[1])
        if name.endswith("-org"):
            return 0 if number < 3333 else None
        return 1 if number > 1666 else None

    return febrl(rows, "febrl4", belongs)


def febrl3():
    kinds = {"org": 0, "dup-0": 1}
    return febrl(read(DATA / "febrl3/dataset3.csv"), "febrl3", lambda name: kinds.get(name.split("-", 2)[2]))


def dirty(rows=20000):
    folder = FOLDER / "dirty"
    program("dev", "generate", "--records", str(rows), "--common", str(rows * 3 // 4), "--errors", "dirty", "--seed", SEED,
            "--departments", "social-security,health", "--out", str(folder))
    return folder, ["social-security", "health"]


# --- ours ---


def schema(name):
    """The test schema without what an identity number gives."""
    text = (DATA / "fields" / name).read_text()
    parts = re.split(r"(?m)^(?=\[)", text)
    kept = [part for part in parts if not re.search(r'(?m)^name = "id_number"|field = "id_number"', part)]
    path = FOLDER / name
    path.write_text("".join(kept).replace('from = "id_number"\n', ""))
    return path


def encode(folder, names, form):
    """Stores tokens; returns the arguments of `match`."""
    path, key = schema(form), FOLDER / "project.key"
    if not key.exists():
        program("key", "generate", "--out", str(key))
    for name in names:
        program("encode", str(folder / f"{name}.csv"), "--schema", str(path), "--key", str(key),
                "--out", str(folder / f"{name}.tokens"), "--accept-risk", "bench: made-up people")
    return ["match", *[str(folder / f"{name}.tokens") for name in names], "--schema", str(path), "--out", str(folder / "out")]


def our_f1(folder):
    judged = program("evaluate", str(folder / "out/links.csv"), "--truth", str(folder / "truth.csv"))
    return judged["overall"]["f1"]


def ours(folder, names, form):
    start = cpu(resource.RUSAGE_CHILDREN)
    match = encode(folder, names, form)
    encoded = cpu(resource.RUSAGE_CHILDREN)
    program(*match)
    matched = cpu(resource.RUSAGE_CHILDREN)
    return our_f1(folder), encoded - start, matched - encoded


# --- theirs ---

BIRTH_FORMS = [r"(\d{4})-(\d{1,2})-(\d{1,2})", r"(\d{4})/(\d{1,2})/(\d{1,2})", r"(\d{4})(\d{2})(\d{2})",
               r"(\d{4})年(\d{1,2})月(\d{1,2})日?", r"(\d{4})\.(\d{1,2})\.(\d{1,2})"]


def plain(value):
    return unicodedata.normalize("NFKC", value or "").strip().lower() or None


def birth(value):
    for form in BIRTH_FORMS:
        found = re.fullmatch(form, plain(value) or "")
        if found:
            year, month, day = map(int, found.groups())
            return f"{year:04}-{month:02}-{day:02}"
    return None


def febrl_values(row):
    values = {name: plain(value) for name, value in row.items()}
    values["born"] = birth(values.pop("date_of_birth"))
    return values


def chinese_values(row):
    name, digits = plain(row["name"]), re.sub(r"\D", "", plain(row["mobile"]) or "")
    address = plain(row["address"])
    return {"record_id": row["record_id"], "name": name, "pinyin": "".join(lazy_pinyin(name)) if name else None,
            "born": birth(row["birth_date"]), "sex": {"男": "1", "女": "2", "m": "1", "f": "2"}.get(plain(row["sex"]), plain(row["sex"])),
            "mobile": digits[-11:] or None, "address": re.sub(r"\s", "", address) if address else None}


def names_in_chinese():
    return levels.CustomComparison(output_column_name="name", comparison_levels=[
        {"sql_condition": "name_l is null or name_r is null", "label_for_charts": "null", "is_null_level": True},
        {"sql_condition": "name_l = name_r", "label_for_charts": "same", "tf_adjustment_column": "name"},
        {"sql_condition": "pinyin_l = pinyin_r", "label_for_charts": "sounds the same"},
        {"sql_condition": "jaro_winkler_similarity(pinyin_l, pinyin_r) > 0.92", "label_for_charts": "sounds alike"},
        {"sql_condition": "jaro_winkler_similarity(name_l, name_r) > 0.7", "label_for_charts": "looks alike"},
        {"sql_condition": "ELSE", "label_for_charts": "else"}])


def born():
    return levels.DateOfBirthComparison("born", input_is_string=True)


def tf(comparison):
    return comparison.configure(term_frequency_adjustments=True)


FEBRL = {
    "id": "rec_id", "values": febrl_values, "schema": "person-latin.toml",
    "comparisons": lambda: [
        levels.ForenameSurnameComparison("given_name", "surname"), born(),
        levels.JaroWinklerAtThresholds("address_1", [0.9, 0.7]), levels.LevenshteinAtThresholds("street_number", [1]),
        levels.JaroWinklerAtThresholds("address_2", [0.9, 0.7]), tf(levels.JaroWinklerAtThresholds("suburb", [0.9, 0.7])),
        levels.LevenshteinAtThresholds("postcode", [1, 2]), levels.ExactMatch("state")],
    "rules": [["born"], ["given_name", "surname"], ["surname", "postcode"], ["given_name", "suburb"], ["address_1"],
              ["given_name", "substr(born, 6)"], ["street_number", "postcode"]],
    "train": [["born"], ["given_name", "surname"], ["address_1"]],
    "sure": [["given_name", "surname", "born"], ["address_1", "born"]],
}
CHINESE = {
    "id": "record_id", "values": chinese_values, "schema": "person-cn.toml",
    "comparisons": lambda: [
        names_in_chinese(), born(), levels.ExactMatch("sex"), levels.LevenshteinAtThresholds("mobile", [1, 2]),
        levels.JaroWinklerAtThresholds("address", [0.95, 0.88, 0.7])],
    "rules": [["born"], ["mobile", "substr(born, 1, 4)"], ["mobile", "name"], ["pinyin", "substr(born, 1, 4)"],
              ["pinyin", "substr(born, 6)"], ["address", "substr(born, 1, 4)"], ["name", "substr(address, 1, 6)"]],
    "train": [["born"], ["pinyin"], ["mobile"]],
    "sure": [["name", "born", "mobile"], ["name", "born", "sex"]],
}


def table(folder, name, form):
    return pandas.DataFrame([form["values"](row) for row in read(folder / f"{name}.csv")])


def predict(db, frames, form):
    """Trains the model, and returns the pairs that it finds."""
    settings = SettingsCreator(
        link_type="link_only", unique_id_column_name=form["id"], comparisons=form["comparisons"](),
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in form["rules"]], retain_matching_columns=False)
    linker = Linker(frames, settings, log_level="ERROR")
    train = linker.training
    train.estimate_probability_two_random_records_match([block_on(*rule) for rule in form["sure"]], recall=0.7)
    train.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in form["train"]:
        train.estimate_parameters_using_expectation_maximisation(block_on(*rule), record_sample_proportion=1.0)
    found = linker.inference.predict(threshold_match_probability=0.001).as_pandas_dataframe()
    left, right = f"{form['id']}_l", f"{form['id']}_r"
    return found[["match_probability", "match_weight", left, right]]


def in_order(found):
    pairs = found.itertuples(index=False, name=None)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[2], pair[3]))


def theirs(folder, names, form):
    start = cpu(resource.RUSAGE_SELF)
    db = DuckDBAPI()
    frames = [db.register(table(folder, name, form), dataset_display_name=name.replace("-", "_")) for name in names]
    found = predict(db, frames, form)
    used = cpu(resource.RUSAGE_SELF) - start
    return in_order(found), used


# --- judging ---


def f1(right, found, true):
    return 2 * right / (found + true) if found + true else 0.0


def judge(pairs, folder, names):
    """Best F1 as predicted, best F1 one to one, F1 at probability 0.5 as predicted and one to one."""
    entity = {}
    for row in read(folder / "truth.csv"):
        if row["dataset"] in names:
            entity[row["record_id"]] = row["entity_id"]
    counts = [{}, {}]
    for row in read(folder / "truth.csv"):
        if row["dataset"] in names:
            side = counts[names.index(row["dataset"])]
            side[row["entity_id"]] = side.get(row["entity_id"], 0) + 1
    true = sum(count * counts[1].get(one, 0) for one, count in counts[0].items())
    result = []
    for one_to_one in (False, True):
        taken, right, found, best, half = set(), 0, 0, 0.0, 0.0
        for chance, _, left, right_id in pairs:
            if one_to_one and (left in taken or right_id in taken):
                continue
            taken.update((left, right_id))
            found += 1
            right += entity[left] == entity[right_id]
            best = max(best, f1(right, found, true))
            if chance >= 0.5:
                half = f1(right, found, true)
        result.append((best, half))
    return result


def compare_sets():
    load_packages()
    sets = [("febrl4", *febrl4(), FEBRL), ("febrl3", *febrl3(), FEBRL), ("dirty", *dirty(), CHINESE)]
    print(f"{'set':8} {'program':9} {'best F1':>8} {'F1 1:1 best':>12} {'F1 own':>8} {'F1 1:1 own':>11} {'CPU s':>8}")
    worse = []
    for name, folder, names, form in sets:
        own, encoding, match = ours(folder, names, form["schema"])
        pairs, used = theirs(folder, names, form)
        (best, half), (best_one, half_one) = judge(pairs, folder, names)
        print(f"{name:8} {'linkage':9} {'':8} {'':12} {'':8} {own:11.5f} {match:8.2f}  and {encoding:.2f} to encode", flush=True)
        print(f"{name:8} {'splink':9} {best:8.5f} {best_one:12.5f} {half:8.5f} {half_one:11.5f} {used:8.2f}", flush=True)
        if own < half_one:
            worse.append(name)
    if worse:
        print(f"splink links better at the thresholds that both pick: {', '.join(worse)}")


# --- many rows ---


def apart(work):
    """Runs `work` in a process of its own: its CPU seconds and peak memory in GB."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"bench-splink: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(1)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def compare_rows():
    folder, names = dirty(ROWS)
    match = encode(folder, names, CHINESE["schema"])

    def tables():
        load_packages()
        for name in names:
            table(folder, name, CHINESE).to_parquet(folder / f"{name}.parquet")

    def link():
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execv(PROGRAM, [PROGRAM, *match, "--json"])

    def splink():
        load_packages()
        limit = {"memory_limit": MEMORY} if MEMORY else {}
        connection = duckdb.connect(config={"temp_directory": str(folder / "spill"), **limit})
        db = DuckDBAPI(connection=connection)
        frames = []
        for name in names:
            plain_name = name.replace("-", "_")
            connection.execute(f"create table {plain_name} as from '{folder / name}.parquet'")
            frames.append(db.register(plain_name, dataset_display_name=plain_name))
        predict(db, frames, CHINESE).to_parquet(folder / "found.parquet")

    apart(tables)
    our_cpu, our_memory = apart(link)
    our = our_f1(folder)
    print(f"{'program':9} {'CPU s':>8} {'GB':>6} {'F1 own':>8} {'F1 as predicted':>16} {'F1 1:1 best':>12}")
    print(f"{'linkage':9} {our_cpu:8.2f} {our_memory:6.2f} {our:8.5f}", flush=True)
    their_cpu, their_memory = apart(splink)
    load_packages()
    found = pandas.read_parquet(folder / "found.parquet")
    (_, half), (best_one, half_one) = judge(in_order(found), folder, names)
    print(f"{'splink':9} {their_cpu:8.2f} {their_memory:6.2f} {half_one:8.5f} {half:16.5f} {best_one:12.5f}")
    print(f"ratios: {their_cpu / our_cpu:.1f} of CPU seconds, {their_memory / our_memory:.1f} of memory")
    if our_cpu * 10 > their_cpu or our_memory * 10 > their_memory or our < half_one:
        sys.exit("bench-splink: a floor is missed")


if ROWS:
    compare_rows()
else:
    compare_sets()

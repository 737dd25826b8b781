"""Writes test vectors of the clkhash profile; run by scripts/clkhash-vectors."""

import base64
import csv
import io
import json
import re
import sys
import warnings
from datetime import datetime
from pathlib import Path

from clkhash import clk, schema
from clkhash.validate_data import EntryError

warnings.simplefilter("ignore")
OUT = Path(sys.argv[1])

GIVEN = "michaela courtney charles vanessa mikayla blake chloe zoë aaaa anna-maria li x".split() + [""]
SURNAME = "neumann painter green parr malloney o'brien nguyễn 李小龍 lund al-said smith".split() + [""]
RECORDS = 24


def row(*columns):
    """RECORDS rows that walk through the columns at different paces."""
    return [[column[(i * (step + 1) + i // len(column)) % len(column)] for step, column in enumerate(columns)]
            for i in range(RECORDS)]


def ngram(n, positional=None):
    return {"type": "ngram", "n": n} | ({} if positional is None else {"positional": positional})


def numeric(distance, resolution, precision=None):
    made = {"type": "numeric", "thresholdDistance": distance, "resolution": resolution}
    return made | ({} if precision is None else {"fractional_precision": precision})


def feature(name, comparison, strategy, form=None, hash=None, missing=None):
    hashing = {"comparison": comparison, "strategy": strategy}
    if hash:
        hashing["hash"] = hash
    if missing:
        hashing["missingValue"] = missing
    return {"identifier": name, "format": form or {"type": "string"}, "hashing": hashing}


def ignored(name):
    return {"identifier": name, "ignored": True}


def version3(features, l=1024, kdf=None, **config):
    return {"version": 3, "clkConfig": {"l": l, "kdf": {"type": "HKDF"} | (kdf or {})} | config, "features": features}


def token(bits):
    return {"bitsPerToken": bits}


def whole(bits):
    return {"bitsPerFeature": bits}


DOUBLE = {"type": "doubleHash"}
DOUBLE_SAFE = {"type": "doubleHash", "prevent_singularity": True}
TEXT8, TEXT16, TEXT32, ASCII = ({"type": "string", "encoding": e} for e in ("utf-8", "utf-16", "utf-32", "ascii"))


def write(name, value):
    (OUT / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"clkhash-vectors: {name}")


def vector(name, description, linkage_schema, records, secret="s3cr3t"):
    encodings = clk.generate_clks(records, schema.from_json_dict(linkage_schema), secret, max_workers=1)
    write(name, {
        "description": description,
        "generator": "clkhash 0.18.3",
        "schema": linkage_schema,
        "header": [f["identifier"] for f in linkage_schema["features"]],
        "records": records,
        "clks": [base64.b64encode(encoding.tobytes()).decode() for encoding in encodings],
        "popcounts": [encoding.count() for encoding in encodings],
        "secret_utf8": secret,
    })


def rules():
    names = row(GIVEN, SURNAME)
    two = [feature("given", ngram(2), token(8)), feature("surname", ngram(2), token(8), hash=DOUBLE)]
    b64 = lambda data: base64.b64encode(data).decode()
    vector("rule-01-hkdf-sha512", "HKDF with SHA512, salt, info and short keys.",
           version3(two, kdf={"hash": "SHA512", "salt": b64(b"salt\0\xff"), "info": b64(b"info"), "keySize": 32}), names)
    vector("rule-01-hkdf-sha256", "HKDF with SHA256 and a salt, keys of 48 bytes, a long secret.",
           version3(two, kdf={"hash": "SHA256", "salt": b64(bytes(range(99))), "keySize": 48}), names, "ß" * 100)
    vector("rule-02-ignored", "Ignored columns have keys all the same.",
           version3([ignored("row"), two[0], ignored("x"), two[1], ignored("y")]),
           [["1", given, "2", surname, "3"] for given, surname in names])
    dates = ["2001-02-03", "1999-12-31", "0999-01-01", "1904-2-29", "NA", "1850-07-09"]
    vector("rule-03-canonical", "Integers, days, lists and missing values in canonical form.",
           version3([
               feature("int", ngram(1, True), token(9), {"type": "integer", "minimum": -50, "maximum": 10**9}),
               feature("day", ngram(1, True), token(9), {"type": "date", "format": "%Y-%m-%d"},
                       missing={"sentinel": "NA", "replaceWith": ""}),
               feature("day2", ngram(2), token(9), {"type": "date", "format": "%d %b %y"}),
               feature("sex", {"type": "exact"}, token(20), {"type": "enum", "values": ["m", "f", ""]}),
               feature("sentinel", ngram(2), token(5), {"type": "integer"}, missing={"sentinel": "unknown"}),
               feature("replaced", ngram(2), token(5), {"type": "integer"},
                       missing={"sentinel": "", "replaceWith": "none"}),
           ]),
           row([" 5 ", "-0", "+007", "1_000", "٤٢", "-12", "\u2003９\u2003"], dates,
               ["1 Feb 69", "29 feb 68", " 7 JAN 00", "31\u00a0Dec  99"], ["m", "f", ""],
               ["unknown", "12", "013"], ["", "7", "08"]))
    vector("rule-04-empty-and-exact", "Empty values set no bits, exact ones are one token.",
           version3([feature("a", {"type": "exact"}, token(30)), feature("b", {"type": "exact"}, whole(30), hash=DOUBLE),
                     feature("c", ngram(3), whole(30))]),
           row(GIVEN, SURNAME + [" ", "  x "], GIVEN))
    vector("rule-05-ngrams", "Windows of 1 to 5 code points, with and without place, duplicates kept.",
           version3([feature("n1", ngram(1), token(4)), feature("n1p", ngram(1, True), token(4)),
                     feature("n2", ngram(2, False), token(4)), feature("n2p", ngram(2, True), token(4)),
                     feature("n3", ngram(3), token(4)), feature("n5p", ngram(5, True), token(4))]),
           row(*[GIVEN + SURNAME + ["a" * 12, "😀é", "e\u0301", "a\tb  c"]] * 6))
    numbers = ["0", "1", "-1", "7", "2.5", "-2.5", "1.005", "1e3", " 12 ", "1_0.5", "٥.٥", "5.", ".5", "-0.0",
               "123456789012345678", "99.995", "0.125", "0.375", "-37", "100"]
    whole_numbers = ["0", "1", "-1", "2", "-2", "3", "4", "-4", "5", "6", "-6", "007", "123456789012345678"]
    vector("rule-06-numeric", "Numbers and their neighbourhoods: integers, decimals, days, ties.",
           version3([
               feature("plain", numeric(5, 3), token(3)),
               feature("decimal", numeric(0.5, 4, 2), token(3)),
               feature("fine", numeric(2.675, 2, 2), whole(40)),
               feature("ties", numeric(8, 1), token(5), {"type": "integer"}),
               feature("odd", numeric(7, 2), token(5), {"type": "integer"}, DOUBLE),
               feature("day", numeric(31, 5), token(2), {"type": "date", "format": "%d/%m/%Y"}),
               feature("missing", numeric(1.5, 2), token(4), missing={"sentinel": "NA", "replaceWith": ""}),
           ], l=2048),
           row(numbers, numbers, numbers, whole_numbers, whole_numbers,
               ["1/1/2000", "31/12/1999", "15/06/1950"], ["NA", "4", "4.5", "-3"]))
    vector("rule-07-bits-per-feature", "Bits shared by the tokens of a value, the first ones get one more.",
           version3([feature("few", ngram(2), whole(3)), feature("some", ngram(2), whole(50)),
                     feature("many", ngram(1, True), whole(301), hash=DOUBLE)]),
           row(GIVEN, GIVEN + SURNAME, SURNAME))
    texts = ["José", "Łukasz", "李小龍", "😀smile", " lead", "محمد", "e\u0301", ""]
    vector("rule-08-encodings", "Each token on its own in UTF-16 and UTF-32, with its byte-order mark.",
           version3([feature("u8", ngram(2), token(5), TEXT8), feature("u16", ngram(2), token(5), TEXT16),
                     feature("u16p", ngram(1, True), token(5), TEXT16, DOUBLE), feature("u32", ngram(3), token(5), TEXT32),
                     feature("u32x", {"type": "exact"}, whole(20), TEXT32, DOUBLE), feature("ascii", ngram(2), token(5), ASCII)]),
           row(texts, texts, texts, texts, texts, ["smith", "", "o'brien"]))
    vector("rule-09-blake-long", "More indices than fit in a digest, a filter longer than 16 bits tell apart.",
           version3([feature("a", ngram(2), token(100), hash={"type": "blakeHash"}),
                     feature("b", {"type": "exact"}, whole(300))], l=131072),
           row(GIVEN, SURNAME)[:2])
    vector("rule-09-blake-short", "A filter of eight bits.",
           version3([feature("a", ngram(2), token(1))], l=8), row(GIVEN))
    vector("rule-10-double", "A filter whose length is no power of two, keys longer than a block.",
           version3([feature("a", ngram(2), token(30), hash=DOUBLE), feature("b", ngram(2), token(7), hash=DOUBLE)],
                    l=1001, kdf={"keySize": 200}), names)
    vector("rule-10-singularity", "Filters so short that many steps are 0, prevented and not.",
           version3([feature("a", ngram(2), token(3), hash=DOUBLE_SAFE)], l=11), row(GIVEN + SURNAME))
    vector("rule-10-singularity-allowed", "The same, not prevented.",
           version3([feature("a", ngram(2), token(3), hash=DOUBLE)], l=11), row(GIVEN + SURNAME))
    vector("rule-11-fold-odd", "Halves that end within a byte.",
           version3([feature("a", ngram(2), token(20), hash=DOUBLE), feature("b", ngram(2), token(20), hash=DOUBLE)],
                    l=101, xor_folds=3), names)
    vector("rule-11-fold-short", "From 512 bits to 16.",
           version3([feature("a", ngram(2), token(9)), feature("b", ngram(2), token(9))], l=16, xor_folds=5), names)
    old = lambda name, **hashing: {"identifier": name, "format": {"type": "string"}, "hashing": hashing}
    for kind in ("doubleHash", "blakeHash"):
        vector(f"rule-12-version-1-{kind}", "Version 1: weights, one k and one hash for all.",
               {"version": 1, "clkConfig": {"l": 1024, "k": 20, "xorFolds": 0, "kdf": {"type": "HKDF"}, "hash": {"type": kind}},
                "features": [old("given", ngram=2), old("surname", ngram=2, positional=False, weight=0.125), ignored("x"),
                             old("place", ngram=1, positional=True, weight=0.375), old("none", ngram=2, weight=0),
                             old("twice", ngram=3, weight=2, missingValue={"sentinel": "li", "replaceWith": "lee"})]},
               row(GIVEN, SURNAME, GIVEN, SURNAME, GIVEN, GIVEN))
    vector("rule-12-version-1-fold", "Version 1 folds under the name that works.",
           {"version": 1, "clkConfig": {"l": 512, "k": 10, "xor_folds": 1, "kdf": {"type": "HKDF"},
                                        "hash": {"type": "doubleHash", "prevent_singularity": True}},
            "features": [old("given", ngram=2), old("surname", ngram=2)]}, names)
    vector("rule-12-version-2", "Version 2: k and numBits.",
           {"version": 2, "clkConfig": {"l": 512, "xor_folds": 1, "kdf": {"type": "HKDF", "hash": "SHA512"}},
            "features": [old("given", ngram=2, strategy={"k": 11}, hash=DOUBLE_SAFE), ignored("x"),
                         old("surname", ngram=3, positional=True, strategy={"numBits": 130}, hash={"type": "blakeHash"}),
                         old("b", ngram=1, strategy={"numBits": 7}, missingValue={"sentinel": "x"})]},
           row(GIVEN, SURNAME, SURNAME, GIVEN))


def attempt(function):
    try:
        return function()
    except (ValueError, OverflowError):
        return None


def python():
    """What Python makes of text that is to be a number, a day or a CSV file; null where it refuses."""
    integers = ["5", " 5 ", "\t007\n", "-0", "+12", "-012", "1_000", "0_0", "", " ", "+", "- 1", "1__0", "_1", "1_", "+_1",
                "1.0", "1e3", "٤٢", "１_２", "𝟗𝟎", "\u20035\u00a0", "\x1c5", "\x1c٥", "\x1f٥\x85", "5\u200b", "½", "二", "0x1",
                "1 2", "−5", "９" * 30, "0" * 40 + "1", "1" * 60, "-" + "9" * 60, "--1", "+-1", "\x005", "٥_٥", "٥__٥"]
    days = {
        "%Y-%m-%d": ["2000-01-02", "2000-1-2", "2000-01- 2", "2000- 1-2", "0999-01-01", "0000-01-01", "2000-02-30", "2004-02-29",
                     "1900-02-29", "２０００-0１-02", "", " 2000-01-01", "2000-01-01 ", "99-1-1", "20000-1-1", "2000-13-01",
                     "2000-1-32", "2000-0-1", "2000/01/01", "9999-12-31", "2000-1١-01", "2000-01-3١"],
        "%d%m%Y": ["1122000", "112000", "31122000", "3112200", "0102000", " 1122000", "32122000", "111112"],
        "%m%d%y": ["1113", "010203", "123199", "11112", "111199", "1311"],
        "%d/%m/%y": ["1/1/68", "1/1/69", "1/1/00", "1/1/7", "٠1/1/٠٠"],
        "%d %b %Y": ["2 feb 2000", "02  FEB 2000", " 2 Feb 2000", "2\u00a0Feb\t2000", "2Feb2000", "2 Februar 2000", "2 Sep 2000"],
        "%d.%B %Y": ["2.may 2000", "2.May 2000", "31.June 2000", "2. May 2000", "2.Sep 2000"],
        "%A, %d. %B %Y": ["Monday, 3. May 2004", "mon, 3. May 2004", "FRIDAY, 29. february 2000"],
        "%a %d %m %Y": ["Tue 1 2 2003", "Tuesday 1 2 2003"],
        "%Y %j": ["2001 366", "2000 366", "2001 060", "2001 60", "2001 000", "2001 367", "2001 1", "9999 365"],
        "%j%Y": ["12000", "0012000", "3662000", "36672000"],
        "%d/%m": ["29/02", "28/02", "1/1"],
        "%y %Y": ["01 1999"], "%Y %y": ["1999 01"], "%m %b": ["1 feb"], "%B %b": ["March jan"],
        "%Y": ["2000", "0001", "200"], "%m  %d": ["1 2", "1   2", "12"], " %m": [" 1", "1"], "%m ": ["1 ", "1"],
        "T%m(.)": ["t1(.)", "T1(x)"], "%%%Y": ["%2000", "2000"], "[%Y]": ["[2000]"], "%Y\\%m": ["2000\\1"],
        "%H:%M:%S %Y": ["24:00:00 2000", "23:59:60 2000", "23:59:61 2000", "23:59:59 2000", "1:2:3 2000", "23:60:00 2000"],
        "%I:%M %p %d/%m/%Y": ["12:00 AM 1/2/2003", "0:00 PM 1/2/2003", "13:00 pm 1/2/2003", "1:00 xm 1/2/2003"],
        "%Y-%m-%dT%H:%M:%S.%f": ["2000-01-02T03:04:05.123456", "2000-01-02t03:04:05.1", "2000-01-02T03:04:05.1234567"],
        "%w %Y": ["0 2000", "7 2000"], "": ["", "x"], "%Y年%m月%d日": ["2000年1月02日", "2000年1月2"],
    }
    files = ["a,b\r\nc,d\r\n", "a,b\nc,d", "a,b\rc,d\r", 'a,"b ""x"" y"\n', '"a\nb",c\n', '"a"b,c"d"\n', '"",\n', '""\n', ",\n", "\n",
             "a\n\nb\n", "a,b,\n", ' "a",b\n', '"a" ,b\n', '"a""\n"\n', "a,b\n\n", '"a,b"\n"c"\r\n"d"', 'x"\ny\n', "é,李\n"]
    formats = [
        ({"type": "string", "case": "upper"}, ["AB", "Ab", "A1 ", "ß", "", "ǅ", "中", "ΑΣ"]),
        ({"type": "string", "case": "lower"}, ["ab", "aB", "1", "", "ß", "ας", "ασ", "İ"]),
        ({"type": "string", "case": "mixed"}, ["aB", ""]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["a", "ab", "abc", "abcd", "", "😀😀😀", "e\u0301e\u0301"]),
        ({"type": "string", "pattern": r"a|ab"}, ["a", "ab", "abc", "a\n", ""]),
        ({"type": "string", "pattern": r"^[A-Z]\d{3}$"}, ["A123", "A١٢٣", "A12", "a123", "A123\n"]),
        ({"type": "string", "pattern": r"[\w' -]+"}, ["O'Brien x-y", "Zoë_1", "e\u0301", "李", "²", "a\tb", "½"]),
        ({"type": "string", "pattern": r"\S+\s\S+"}, ["a b", "a\x1cb", "a\u00a0b", "ab"]),
        ({"type": "string", "pattern": r"(?:a+?b{1,2})*.?"}, ["", "aab", "abbb", "abx", "abxy"]),
        ({"type": "string", "encoding": "ascii"}, ["é", "e", ""]),
        ({"type": "integer"}, ["5", "", "5.0", "abc", " 7", "-3"]),
        ({"type": "integer", "minimum": -3, "maximum": 7}, ["-4", "-3", "7", "8", "9" * 40, "-" + "9" * 40]),
        ({"type": "enum", "values": ["a", "b"]}, ["a", "c", "", "A"]),
        ({"type": "date", "format": "%Y%m%d"}, ["20000101", "2000-01-01", ""]),
    ]

    def accepted(form, value):
        made = version3([feature("a", ngram(2), token(1), form)])
        try:
            clk.generate_clks([[value]], schema.from_json_dict(made), "x", max_workers=1)
        except EntryError:
            return False
        return True

    write("python", {
        "description": "What Python 3.11 makes of integers, days and CSV files, and which values clkhash allows.",
        "generator": "Python 3.11, clkhash 0.18.3",
        "integers": [[text, attempt(lambda: str(int(text, 10)))] for text in integers],
        "days": [[form, text, attempt(lambda: datetime.strptime(text, form).strftime("%Y%m%d"))]
                 for form, texts in days.items() for text in texts],
        "files": [[text, list(csv.reader(io.StringIO(text, newline="")))] for text in files],
        "allowed": [[form, value, accepted(form, value)] for form, values in formats for value in values],
    })


rules()
python()

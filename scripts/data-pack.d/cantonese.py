"""Hong Kong government spellings: exceptions, and a rule from the Cantonese reading.

The spelling in use has no standard. Its regularities: no tones and no mark of aspiration, long and
short a alike; ts for z and c where Mandarin has z, c or s, ch where it has zh, ch, j or q; sh for s
where Mandarin has sh (the old retroflex series, which spellings fixed in the 19th century keep).
"""

import re

import sources

# Finals of Jyutping to those of the spelling, the usual one first.
FINALS = {
    "aa": ["a"], "aai": ["ai"], "aau": ["au"], "aam": ["am"], "aan": ["an"], "aang": ["ang"],
    "aap": ["ap"], "aat": ["at"], "aak": ["ak"], "a": ["a"], "ai": ["ai"], "au": ["au"],
    "am": ["am", "um"], "an": ["an", "un"], "ang": ["ang"], "ap": ["ap"], "at": ["at"],
    "ak": ["ak"], "e": ["e"], "ei": ["ei", "i"], "eu": ["eu"], "em": ["em"], "eng": ["eng"],
    "ep": ["ep"], "ek": ["ek"], "i": ["i", "ee"], "iu": ["iu"], "im": ["im"], "in": ["in"],
    "ing": ["ing"], "ip": ["ip"], "it": ["it"], "ik": ["ik"], "o": ["o"], "oi": ["oi"],
    "ou": ["o"], "on": ["on"], "ong": ["ong"], "ot": ["ot"], "ok": ["ok"], "oe": ["eu"],
    "oeng": ["eung"], "oek": ["euk"], "oet": ["eut"], "eoi": ["ui"], "eon": ["un"],
    "eot": ["ut"], "u": ["u", "oo"], "ui": ["ui"], "un": ["un", "oon"], "ung": ["ung"],
    "ut": ["ut"], "uk": ["uk"], "yu": ["u", "ue"], "yun": ["uen"], "yut": ["uet"], "m": ["m"],
    "ng": ["ng"],
}
INITIALS = {"b": "p", "g": "k", "gw": "kw", "j": "y", "d": "t"}
SYLLABLE = re.compile("(gw|kw|ng(?=.)|[bpmfdtnlgkhwzcsj]?)(.+)")


def _initials(initial, mandarin):
    if initial in ("z", "c"):
        dental = mandarin[0] in "zcsx" and mandarin[:2] not in ("zh", "ch", "sh")
        return ["ts", "ch"] if dental else ["ch", "ts"]
    if initial == "s":
        return ["sh", "s"] if mandarin.startswith(("sh", "ch")) else ["s", "sh"]
    return [INITIALS.get(initial, initial)]


def _spell(jyutping, mandarin):
    """At most two spellings: the usual one, and the one that differs from it most often."""
    initial, final = SYLLABLE.fullmatch(jyutping).groups()
    if final not in FINALS:
        return []
    if initial in ("z", "c", "s") and final == "i" and re.fullmatch("(z|c|s)i", mandarin):
        return ["sze", "si"] if initial == "s" else ["tsz", "chi"]
    firsts, lasts = _initials(initial, mandarin), FINALS[final]
    if final in ("am", "an") and initial not in ("s", "z", "c"):
        lasts = lasts[:1]
    spellings = [first + last for first in firsts[:1] for last in lasts]
    if len(spellings) < 2:
        spellings += [first + lasts[0] for first in firsts[1:]]
    return spellings[:2]


def spellings(fold, mandarin):
    """Folded text -> spellings, for characters of the readings table and compound surnames.

    The Cantonese reading is looked up for the simplified character and, where that has none, for a
    traditional one that folds to it.
    """
    table = {}
    unfolded = {}
    for char, target in sorted(fold.items()):
        unfolded.setdefault(target, []).append(char)
    for char, readings in mandarin.items():
        known = [r for form in [char, *unfolded.get(char, [])] for r in sources.cantonese(form)]
        if known:
            table[char] = _spell(known[0], readings[0])
    for line in sources.lines("hong-kong.txt"):
        text, *listed = line.split()
        table[text] = listed[:2]
    return {text: listed for text, listed in table.items() if listed and len(text) == 1}

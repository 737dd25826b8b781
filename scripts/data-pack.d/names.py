"""Surnames: which there are, how many people bear them, how they are read."""

import sources

# Faker gives percent; the table counts bearers per 10 million people.
PER_PERCENT = 100_000


def _listed():
    for line in sources.lines("surnames.txt"):
        yield from line.split() if " " in line else line


def surnames(fold, mandarin):
    """Folded surname -> (bearers per 10 million or 0, readings)."""
    special = {}
    for line in sources.lines("surname-readings.txt"):
        text, *readings = line.split()
        assert len(text) == len(readings), line
        assert special.setdefault(text, readings) == readings, f"two readings of {text}"
    people = {s: round(share * PER_PERCENT) for s, share in sources.surname_shares().items()}
    for line in sources.lines("surname-people.txt"):
        text, count = line.split()
        people[text] = int(count)
    table = {}
    for text in [*people, *_listed()]:
        folded = "".join(fold.get(char, char) for char in text)
        assert len(folded) in (1, 2), folded
        fallback = [mandarin[char][0] for char in folded]
        table.setdefault(folded, (people.get(text, 0), special.get(folded, fallback)))
    return table


def weak_classes(fold):
    """Folded character -> the representative of its class."""
    table = {}
    for word in sources.words("weak.txt"):
        for char in word:
            assert char not in fold, f"{char} folds to {fold[char]}: not a weak variant"
            assert char not in table, f"{char} is in two classes"
            table[char] = word[0]
    return table

"""Region codes with their history, and countries."""

import re

import sources

# Endings of the names of regions, longest first; what is left identifies the place.
KINDS = ("自治县", "自治旗", "自治州", "特区", "林区", "矿区", "地区", "新区", "市", "县", "区", "旗", "盟", "州")
# Names that say a kind of place, not which place.
GENERIC = {"城", "郊", "市辖", "市中", "城关", "城中", "新城", "矿", "新华", "东方红", "前进", "向阳", "红旗", "县", "工农", "省直辖", "直辖"}
PEOPLES = (
    "(?:满|回|苗|彝|侗|瑶|白|傣|黎|羌|怒|水|畲|蒙古|壮|藏|土家|朝鲜|哈萨克|哈尼|傈僳|佤|拉祜|纳西|景颇|"
    "土|达斡尔|仫佬|布朗|撒拉|毛南|仡佬|锡伯|塔吉克|普米|鄂温克|鄂伦春|保安|裕固|独龙|东乡|布依|柯尔克孜|维吾尔|各)"
)
# Provinces whose places came from another one: Hainan from Guangdong, Chongqing from Sichuan.
OFFSPRING = {"44": ("44", "46"), "51": ("51", "50")}


def stem(name):
    """A name without its kind: 顺德市, 顺德县 and 顺德区 are all 顺德."""
    for kind in KINDS:
        if name.endswith(kind) and len(name) > len(kind):
            short = name.removesuffix(kind)
            if kind.startswith("自治") or kind == "特区":
                short = re.sub(f"(?<=..)(?:{PEOPLES}族)+$", "", short)
            return short
    return name


class History:
    """All codes with the periods in which each had a name."""

    def __init__(self):
        self.current, self.periods = sources.region_history()
        for line in sources.lines("regions.txt"):
            code, name, since, ended = line.split()
            if code in self.periods and ended != "-":
                old, start, _ = self.periods[code][-1]
                assert old == name, f"{code} is {old}, not {name}"
                self.periods[code][-1] = (old, start, int(ended))
                self.current.discard(code)
            else:
                self.periods.setdefault(code, []).append((name, int(since), ""))
                self.current.add(code)
        self.current |= {code for code, spans in self.periods.items() if spans[-1][2] == ""}
        self.current &= {code for code, spans in self.periods.items() if spans[-1][2] == ""}
        self.by_stem = {}
        for code, spans in self.periods.items():
            for name, start, end in spans:
                self.by_stem.setdefault(stem(name), []).append((code, start, end))

    def _next(self, code):
        """The code that took over from an abolished one, judged by place name and years."""
        name, _, end = self.periods[code][-1]
        provinces = OFFSPRING.get(code[:2], (code[:2],))
        place = stem(name)
        if place in GENERIC:
            return None
        found = [
            (0 if start and 0 < start - end <= 3 else 1, int(other[:4] != code[:4]), start or 0, other)
            for form in (place, name, place + "州") if len(form) > 1
            for other, start, last in self.by_stem.get(form, [])
            if other != code and other[:2] in provinces
            and (other.endswith("00") == code.endswith("00"))
            and (last == "" or last > end)
        ]
        return min(found)[3] if found else None

    def successors(self, code, listed, seen=()):
        """The current codes of today that an abolished code leads to."""
        if code in self.current:
            return [code]
        if code in seen:
            return []
        step = listed.get(code) or filter(None, [self._next(code)])
        ends = [end for other in step for end in self.successors(other, listed, (*seen, code))]
        return list(dict.fromkeys(ends))


def regions():
    """Rows (code, name, first year or '', last year or '', successors, earlier names), ascending."""
    history = History()
    listed = {code: rest for code, *rest in (line.split() for line in sources.lines("successors.txt"))}
    for code, rest in listed.items():
        assert {code, *rest} <= history.periods.keys(), f"unknown code in {code} {rest}"
    rows = []
    for code, spans in sorted(history.periods.items()):
        assert re.fullmatch("[1-9][0-9]{5}", code), code
        name, _, end = spans[-1]
        alive = code in history.current
        after = [] if alive else history.successors(code, listed)
        earlier = list(dict.fromkeys(s[0] for s in spans[:-1] if s[0] != name))
        # With several periods in a row the code itself began with the first.
        rows.append((code, name, spans[0][1], "" if alive else end, after, earlier))
    return rows


def countries():
    """Rows (numeric, alpha-3), ascending."""
    return sorted(sources.countries())

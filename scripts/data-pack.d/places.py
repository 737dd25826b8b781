"""Region codes with their history, and countries."""

import re

import sources

# Endings of the names of regions, longest first; what is left identifies the place.
KINDS = "自治县 自治旗 自治州 特区 林区 矿区 地区 市 县 区 旗 盟 州".split()
# Names that say a kind of place, not which place.
GENERIC = set("""
    城区 郊区 市区 矿区 市辖 市中 城关 城中 新城 新华 东方红 前进 向阳 红旗 工农 省直辖 直辖 县
""".split())
PEOPLES = (
    "(?:满|回|苗|彝|侗|瑶|白|傣|黎|羌|怒|水|畲|蒙古|壮|藏|土家|朝鲜|哈萨克|哈尼|傈僳|佤|拉祜|纳西|"
    "景颇|土|达斡尔|仫佬|布朗|撒拉|毛南|仡佬|锡伯|塔吉克|普米|鄂温克|鄂伦春|保安|裕固|独龙|东乡|"
    "布依|柯尔克孜|维吾尔|各)"
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
            if len(short) > 1:
                return short
    return name


class History:
    """All codes with the periods in which each had a name."""

    def __init__(self):
        self.periods = sources.region_history()
        self.current = self._open()
        for line in sources.lines("regions.txt"):
            code, name, since, ended = line.split()
            spans = self.periods.setdefault(code, [])
            if ended == "-":
                assert code not in self.current, f"{code} is known"
                spans.append((name, int(since), ""))
                self.current.add(code)
            elif code in self.current:
                assert spans[-1][0] == name, f"{code} is {spans[-1][0]}, not {name}"
                spans[-1] = (name, spans[-1][1], int(ended))
                self.current.discard(code)
        self.by_stem = {}
        for code, spans in self.periods.items():
            for place, (name, _, _) in enumerate(spans):
                self.by_stem.setdefault(stem(name), []).append((code, place))

    def _open(self):
        """Codes whose last period has no end."""
        return {code for code, spans in self.periods.items() if spans[-1][2] == ""}

    def _alive(self, code, place):
        """Whether a period is the present one of a current code."""
        return code in self.current and place + 1 == len(self.periods[code])

    def _next(self, code, place):
        """The period that took over from one that ended, judged by place name and years.

        Preferred in this order: begins when the other ended, same level, same prefecture. A county
        that became a prefecture counts where only that has its name.
        """
        name, _, end = self.periods[code][place]
        if stem(name) in GENERIC or end == "":
            return None
        provinces = OFFSPRING.get(code[:2], (code[:2],))
        found = []
        town = stem(name)
        forms = [town, f"{name[0]}州"] if len(name) == 2 else [town]
        for form in forms:
            for other, at in self.by_stem.get(form, []):
                later, start, last = self.periods[other][at]
                level = int(other.endswith("00") != code.endswith("00"))
                if (other == code and at <= place) or other[:2] not in provinces:
                    continue
                if level and later != name:
                    continue
                # Districts of two cities that share a name, such as 南郊区, have nothing to do
                # with each other.
                if other[:4] != code[:4] and name.endswith("区") and later.endswith("区"):
                    continue
                if last == "" or last > end:
                    follows = 0 if start and 0 < start - end <= 3 else 1
                    rank = (level, follows, int(other[:4] != code[:4]), start or 0)
                    found.append((rank, other, at))
        return min(found)[1:] if found else None

    def successors(self, code, listed, place=-1, seen=()):
        """The current codes that a code leads to: itself, or what took over, over all steps."""
        place %= len(self.periods[code])
        if self._alive(code, place):
            return [code]
        if (code, place) in seen:
            return []
        seen = (*seen, (code, place))
        steps = [(other, -1) for other in listed.get((code, self.periods[code][place][0]), [])]
        steps = steps or [step for step in [self._next(code, place)] if step]
        ends = [e for other, at in steps for e in self.successors(other, listed, at, seen)]
        return list(dict.fromkeys(ends))


def regions():
    """Rows (code, name, first year, last year, successors, earlier names); unknown years are ''."""
    history = History()
    listed = {}
    for code, name, *rest in (line.split() for line in sources.lines("successors.txt")):
        assert {code, *rest} <= history.periods.keys(), f"unknown code in {code} {name} {rest}"
        assert name in [span[0] for span in history.periods[code]], f"{code} never was {name}"
        listed[code, name] = rest
    rows = []
    for code, spans in sorted(history.periods.items()):
        assert re.fullmatch("[1-9][0-9]{5}", code), code
        name, _, end = spans[-1]
        alive = code in history.current
        after = [] if alive else history.successors(code, listed)
        earlier = list(dict.fromkeys(s[0] for s in spans[:-1] if s[0] != name))
        starts = [start for _, start, _ in spans]
        since = "" if "" in starts else min(starts)
        rows.append((code, name, since, "" if alive else end, after, earlier))
    return rows


def countries():
    """Rows (numeric, alpha-3), ascending."""
    return sorted(sources.countries())

//! Provinces, cities and districts at the start of a text, by any name they ever had.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::prefix::Prefixes;
use crate::pack;

/// Municipalities, whose districts lie directly under the province: Beijing, Tianjin, Shanghai,
/// Chongqing.
const MUNICIPALITIES: [u32; 4] = [11, 12, 31, 50];

/// Endings that a region's name may lack, longest first.
const ENDINGS: [&str; 12] = [
    "特别行政区",
    "自治区",
    "自治州",
    "自治县",
    "自治旗",
    "地区",
    "新区",
    "林区",
    "省",
    "市",
    "区",
    "县",
];

/// Peoples in the names of autonomous regions, which are left out in speech (内蒙古 for 内蒙古自治区, 广西
/// for 广西壮族自治区).
const PEOPLES: &str = "蒙古族 回族 藏族 维吾尔 维吾尔族 苗族 彝族 壮族 布依族 朝鲜族 满族 侗族 瑶族 白族 \
土家族 哈尼族 哈萨克 哈萨克族 傣族 黎族 傈僳族 佤族 畲族 拉祜族 水族 东乡族 纳西族 景颇族 柯尔克孜 \
柯尔克孜族 土族 达斡尔族 仫佬族 羌族 布朗族 撒拉族 毛南族 仡佬族 锡伯 锡伯族 普米族 塔吉克 塔吉克族 \
怒族 鄂温克族 保安族 裕固族 独龙族 鄂伦春 各族 蒙古";

/// A region that a name may mean.
#[derive(Clone, Copy)]
pub(in crate::normalise) struct Candidate {
    /// The region's code as listed.
    pub(in crate::normalise) listed: u32,
    /// The code of what it is today: its successor, if there is only one.
    pub(in crate::normalise) code: u32,
    /// Whether the name lacks its ending (广州 for 广州市).
    pub(in crate::normalise) short: bool,
    current: bool,
}

/// Regions by name. Parsed once.
pub(in crate::normalise) static REGIONS: LazyLock<Prefixes<Vec<Candidate>>> = LazyLock::new(load);

/// Province, city and district of a place, as far as known.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::normalise) struct Place {
    /// Code of the smallest region known; 0 for none.
    code: u32,
}

impl Place {
    /// The place with this code.
    pub(in crate::normalise) fn new(code: u32) -> Self {
        Self { code }
    }

    /// Whether nothing is known.
    pub(in crate::normalise) fn is_unknown(self) -> bool {
        self.code == 0
    }

    /// Whether the place exists today; true where nothing is known.
    pub(in crate::normalise) fn is_current(self) -> bool {
        self.is_unknown() || pack::region(self.code).is_some_and(|region| region.current)
    }

    /// Code of the province, two digits.
    pub(in crate::normalise) fn province(self) -> Option<u32> {
        (self.code != 0).then_some(self.code / 10_000)
    }

    /// Code of the city, four digits: that of a municipality's districts for a municipality. None
    /// for a county directly under its province.
    pub(in crate::normalise) fn city(self) -> Option<u32> {
        let province = self.province()?;
        if MUNICIPALITIES.contains(&province) {
            return Some(province * 100 + 1);
        }
        let city = self.code / 100;
        (!city.is_multiple_of(100) && pack::region(city * 100).is_some()).then_some(city)
    }

    /// Code of the district, six digits.
    pub(in crate::normalise) fn district(self) -> Option<u32> {
        (!self.code.is_multiple_of(100)).then_some(self.code)
    }

    /// Whether `code` lies within this place and is smaller.
    pub(in crate::normalise) fn holds(self, code: u32) -> bool {
        let scope = match (self.code, self.code % 10_000, self.code % 100) {
            (0, ..) => return true,
            (_, 0, _) => 10_000,
            (_, _, 0) => 100,
            _ => return false,
        };
        code / scope == self.code / scope && code != self.code
    }

    /// Whether `code` is this place or one that it lies in.
    pub(in crate::normalise) fn within(self, code: u32) -> bool {
        code == self.code
            || code != 0 && (code == self.code / 100 * 100 || code == self.code / 10_000 * 10_000)
    }

    /// Whether `other` is known and lies within this place.
    pub(in crate::normalise) fn holds_place(self, other: Self) -> bool {
        !other.is_unknown() && self.holds(other.code)
    }

    /// Appends the names of city and district, of the province where neither is known.
    pub(in crate::normalise) fn write_local_names(self, out: &mut String) {
        let start = out.len();
        self.write_names(out);
        let province = pack::region(self.code / 10_000 * 10_000);
        let local = !self.code.is_multiple_of(10_000)
            && self
                .province()
                .is_some_and(|code| !MUNICIPALITIES.contains(&code));
        if let Some(province) = province.filter(|_| local) {
            out.replace_range(start..start + province.name.len(), "");
        }
    }

    /// Appends the names of province, city and district.
    pub(in crate::normalise) fn write_names(self, out: &mut String) {
        let mut last = 0;
        for code in [
            self.code / 10_000 * 10_000,
            self.code / 100 * 100,
            self.code,
        ] {
            if code != last
                && let Some(region) = pack::region(code)
            {
                out.push_str(region.name);
            }
            last = code;
        }
    }
}

/// The full name of a region at the start of a text, with its short form.
pub(in crate::normalise) fn name_at(text: &str) -> Option<(&str, &str)> {
    let (name, _) = REGIONS
        .of(text)
        .find(|(_, candidates)| candidates.iter().any(|candidate| !candidate.short))?;
    Some((name, short_name(name).unwrap_or(name)))
}

/// What a name at the start of a text means.
pub(in crate::normalise) enum Named {
    /// One region.
    Region(Candidate),
    /// Several regions have the name, and nothing tells them apart.
    Ambiguous,
    /// None.
    No,
}

/// Which of the regions of one name is meant by somebody within `scope`.
///
/// The largest and, among equals, one that still exists.
pub(in crate::normalise) fn choose(
    candidates: &[Candidate],
    scope: Place,
    accept: impl Fn(&Candidate) -> bool,
) -> Named {
    let mut best: Option<(u8, Candidate)> = None;
    let mut others = false;
    for candidate in candidates {
        let inside = scope.holds(candidate.listed) || scope.holds(candidate.code);
        if !inside || !accept(candidate) {
            continue;
        }
        let rank = rank(candidate);
        match best {
            Some((least, _)) if rank > least => {}
            Some((least, kept)) if rank == least => others |= kept.code != candidate.code,
            _ => {
                best = Some((rank, *candidate));
                others = false;
            }
        }
    }
    match best {
        Some(_) if others => Named::Ambiguous,
        Some((_, candidate)) => Named::Region(candidate),
        None => Named::No,
    }
}

/// Provinces, cities, districts; those that exist, then those that did; full names, then short
/// ones.
fn rank(candidate: &Candidate) -> u8 {
    let level = if candidate.listed.is_multiple_of(10_000) {
        0
    } else if candidate.listed.is_multiple_of(100) {
        1
    } else {
        2
    };
    u8::from(candidate.short) * 6 + level * 2 + u8::from(!candidate.current)
}

/// A name without its ending; None if nothing of two characters remains.
pub(in crate::normalise) fn short_name(name: &str) -> Option<&str> {
    let mut rest = ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))?;
    if name.contains("自治") {
        while let Some(less) = PEOPLES
            .split_whitespace()
            .filter_map(|people| rest.strip_suffix(people))
            .filter(|less| !less.is_empty())
            .min_by_key(|less| less.len())
        {
            rest = less;
        }
    }
    (rest.chars().nth(1).is_some()).then_some(rest)
}

fn load() -> Prefixes<Vec<Candidate>> {
    let namesakes = namesakes();
    let mut names: BTreeMap<&str, Vec<Candidate>> = BTreeMap::new();
    for region in pack::regions() {
        let candidate = Candidate {
            listed: region.code,
            code: today(region, &namesakes),
            short: false,
            current: region.current,
        };
        names.entry(region.name).or_default().push(candidate);
        if let Some(short) = short_name(region.name) {
            let short_candidate = Candidate {
                short: true,
                ..candidate
            };
            names.entry(short).or_default().push(short_candidate);
        }
    }
    Prefixes::new(
        names
            .into_iter()
            .map(|(name, candidates)| (name.to_owned(), candidates)),
    )
}

/// Existing regions by province and short name; 0 where several have it.
type Namesakes = BTreeMap<(u32, &'static str), u32>;

fn namesakes() -> Namesakes {
    let mut found = Namesakes::new();
    for region in pack::regions().iter().filter(|region| region.current) {
        if let Some(short) = short_name(region.name) {
            found
                .entry((region.code / 10_000, short))
                .and_modify(|code| *code = 0)
                .or_insert(region.code);
        }
    }
    found
}

/// The code of what a region is today. An abolished region without listed successor lives on in
/// the only one of its province that has its short name (增城市 in 增城区).
fn today(region: &pack::Region, namesakes: &Namesakes) -> u32 {
    let mut code = region.code;
    // Chains are short; the bound guards against a circle in the table.
    for _ in 0..8 {
        match pack::region(code) {
            Some(known) if !known.current => match known.successors {
                [next] => code = *next,
                [] => {
                    let namesake = short_name(known.name)
                        .and_then(|short| namesakes.get(&(code / 10_000, short)));
                    return namesake.copied().filter(|&next| next != 0).unwrap_or(code);
                }
                _ => return code,
            },
            _ => return code,
        }
    }
    code
}

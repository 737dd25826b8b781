//! The parts of a company name: region, brand, trade, form, branch, in this order (Provisions on
//! the Administration of Enterprise Name Registration, article 6).

use std::cell::OnceCell;

use super::branch;
use super::tables::{BRAND_LIKE, FORMS, Form, PLACES, TOWNS, TRADES};
use crate::normalise::address::region::{self, Named, Place, REGIONS};
use crate::normalise::address::town;

/// Fewest characters of a brand; a run of Latin letters or digits counts as two.
const BRAND_MIN: usize = 2;

/// Most names of regions and towns in front of a brand.
const NAMES_MAX: usize = 8;

/// Fewest bytes (of UTF-8 Han characters) in front of a region that ends a name.
const BEFORE_PLACE_MIN: usize = 12;

/// Zones behind a city that say nothing about the brand.
const ZONES: [&str; 12] = [
    "高新技术产业开发区",
    "经济技术开发区",
    "高新技术开发区",
    "经济开发区",
    "火炬开发区",
    "高新区",
    "开发区",
    "保税区",
    "工业园区",
    "自贸区",
    "大亚湾",
    "仲恺",
];

/// Classes of forms before which trades of one character are written (花店, 鱼档).
const SHOPS: [&str; 8] = ["店", "档", "行", "摊", "铺", "厅", "馆", "坊"];

/// The form whose brands are names of places: 中山大学, 香港中文大学.
const UNIVERSITY: &str = "大学";

/// A name taken apart.
pub(super) struct Parts<'a> {
    /// The region, of the front, of brackets or of the end.
    pub(super) place: Place,
    /// Names in front of the brand that have no code of their own: towns, and regions that several
    /// places are called.
    pub(super) locality: Vec<&'a str>,
    /// What distinguishes the name (字号).
    pub(super) brand: &'a str,
    /// What the organisation does.
    pub(super) trade: &'a str,
    /// Its form.
    pub(super) form: Option<&'static Form>,
    /// The branch, with its own region.
    pub(super) branch: &'a str,
}

/// Takes a name without punctuation apart. `inner` is the region that its brackets named.
pub(super) fn parts(text: &str, inner: Place) -> Parts<'_> {
    let (name, branch) = text
        .split_at_checked(branch::start(text))
        .unwrap_or((text, ""));
    let (stem, form) = cut_form(name);
    let class = form.map_or("", |form| form.class);
    let shop = SHOPS.contains(&class);
    let (stem, last) = cut_last_places(stem, inner, shop);
    let front = front(stem, shop, class == UNIVERSITY);
    let keep = brand_end(front.rest, BRAND_MIN, shop);
    let (brand, trade) = front
        .rest
        .split_at_checked(keep)
        .unwrap_or((front.rest, ""));
    Parts {
        place: join(join(front.place, inner), last),
        locality: front.locality,
        brand,
        trade,
        form,
        branch,
    }
}

/// The smaller of two places if one lies in the other, else the first that is known.
fn join(first: Place, second: Place) -> Place {
    if first.is_unknown() || first.holds_place(second) {
        second
    } else {
        first
    }
}

/// Cuts the form off the end, if more than a region is left (广东省人民医院 is a 医院 named 人民).
fn cut_form(name: &str) -> (&str, Option<&'static Form>) {
    for (word, form) in FORMS.of(name) {
        if let Some(stem) = name.strip_suffix(word)
            && units(stem) >= BRAND_MIN
            && !REGIONS
                .of(stem)
                .any(|(region, _)| region.len() == stem.len())
        {
            return (stem, Some(form));
        }
    }
    (name, None)
}

/// Cuts provinces and cities off the end (环球国际航运青岛), if brackets named none.
fn cut_last_places(stem: &str, inner: Place, shop: bool) -> (&str, Place) {
    let (mut rest, mut place) = (stem, Place::default());
    if !inner.is_unknown() || shop {
        return (rest, place);
    }
    while let Some((before, code)) = cut_last_place(rest) {
        rest = before;
        place = join(place, Place::new(code));
    }
    (rest, place)
}

fn cut_last_place(stem: &str) -> Option<(&str, u32)> {
    PLACES.of(stem).find_map(|(word, &code)| {
        let rest = stem.strip_suffix(word)?;
        (rest.len() >= BEFORE_PLACE_MIN).then_some((rest, code))
    })
}

/// The regions and towns in front of a brand.
struct Front<'a> {
    place: Place,
    locality: Vec<&'a str>,
    rest: &'a str,
}

/// Takes regions, zones and towns off the front; short names of regions not where `full` is set.
fn front(stem: &str, shop: bool, full: bool) -> Front<'_> {
    let mut front = Front {
        place: Place::default(),
        locality: Vec::new(),
        rest: stem,
    };
    for _ in 0..NAMES_MAX {
        if !(front.take_region(shop, full) || front.take_zone() || front.take_town(shop)) {
            break;
        }
    }
    front
}

impl<'a> Front<'a> {
    /// Takes 中国 or the name of a region.
    fn take_region(&mut self, shop: bool, full: bool) -> bool {
        if let Some(behind) = self.rest.strip_prefix("中国")
            && units(behind) >= BRAND_MIN
        {
            self.rest = behind;
            return true;
        }
        let text = self.rest;
        for (name, candidates) in REGIONS.of(text) {
            let behind = text.get(name.len()..).unwrap_or_default();
            if units(behind) < BRAND_MIN {
                continue;
            }
            let unscoped = self.place.is_unknown();
            let short_allowed = !full && !behind.starts_with("大学");
            let district_fits = OnceCell::new();
            let named = region::choose(candidates, self.place, |candidate| {
                let district = candidate.listed % 100 != 0;
                !candidate.short
                    || short_allowed
                        && (!district
                            || *district_fits.get_or_init(|| {
                                brand_units(behind, shop) >= BRAND_MIN
                                    && !(unscoped && BRAND_LIKE.contains(name))
                            }))
            });
            match named {
                Named::Region(candidate) => self.place = Place::new(candidate.code),
                Named::Ambiguous if candidates.iter().any(|candidate| !candidate.short) => {
                    self.locality.push(name);
                }
                Named::Ambiguous => continue,
                Named::No => {
                    let repeated = candidates
                        .iter()
                        .any(|candidate| !candidate.short && self.place.within(candidate.code));
                    if unscoped || !repeated {
                        continue;
                    }
                }
            }
            self.rest = behind;
            return true;
        }
        false
    }

    fn take_zone(&mut self) -> bool {
        if self.place.is_unknown() {
            return false;
        }
        for zone in ZONES {
            if let Some(behind) = self.rest.strip_prefix(zone)
                && units(behind) >= BRAND_MIN
            {
                self.locality.push(zone);
                self.rest = behind;
                return true;
            }
        }
        false
    }

    /// Takes a town: with its ending anywhere, by its bare name within its city.
    fn take_town(&mut self, shop: bool) -> bool {
        if self.place.is_unknown() && self.locality.is_empty() {
            return false;
        }
        let text = self.rest;
        let listed = TOWNS
            .of(text)
            .find(|(_, codes)| {
                codes
                    .iter()
                    .any(|&code| self.place.holds(code) || self.place.within(code))
            })
            .and_then(|(name, _)| text.get(name.len()..));
        let city = self.place.city().map_or(0, |city| city * 100);
        let bare = listed.or_else(|| town::known(city, text).map(|town| town.rest));
        let bare = bare
            .map(cut_town_ending)
            .filter(|rest| !town::is_road_ahead(rest) && brand_units(rest, shop) >= BRAND_MIN);
        let rest = bare.or_else(|| town_with_ending(text));
        match rest {
            Some(rest) if units(rest) >= BRAND_MIN => {
                self.locality
                    .push(text.get(..text.len() - rest.len()).unwrap_or_default());
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

fn cut_town_ending(text: &str) -> &str {
    ["街道", "镇", "街", "乡"]
        .iter()
        .find_map(|ending| text.strip_prefix(ending))
        .filter(|rest| units(rest) >= BRAND_MIN)
        .unwrap_or(text)
}

/// What follows a town written with its ending: 镇, 乡, 街道, or 街 behind two characters.
fn town_with_ending(text: &str) -> Option<&str> {
    if let Some(town) = town::any(text) {
        return Some(town.rest);
    }
    let at = text.char_indices().nth(2)?.0;
    let rest = text.get(at..)?.strip_prefix('街')?;
    (!rest.starts_with(['道', '舞', '机', '坊'])).then_some(rest)
}

/// Length of the brand at the front of `text`: what is left when words for trades are cut off the
/// end, longest first, while `least` units remain.
fn brand_end(text: &str, least: usize, shop: bool) -> usize {
    let mut end = text.len();
    'cut: loop {
        let rest = text.get(..end).unwrap_or_default();
        for (word, ()) in TRADES.of(rest) {
            let left = end - word.len();
            let single = word.chars().nth(1).is_none() && !(shop && end == text.len());
            if !single && units(text.get(..left).unwrap_or_default()) >= least {
                end = left;
                continue 'cut;
            }
        }
        return end;
    }
}

/// Units of what is no trade.
fn brand_units(text: &str, shop: bool) -> usize {
    units(text.get(..brand_end(text, 0, shop)).unwrap_or_default())
}

/// Han characters, plus two for each run of Latin letters or digits.
fn units(text: &str) -> usize {
    let mut count = 0;
    let mut in_run = false;
    for c in text.chars() {
        let latin = c.is_ascii();
        count += if !latin {
            1
        } else if in_run {
            0
        } else {
            2
        };
        in_run = latin;
    }
    count
}

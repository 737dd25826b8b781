//! Errors in enterprises' records: how often, and how company names are altered.

use std::sync::LazyLock;

use crate::data::characters::{BRAND_CONFUSIONS, CONFUSIONS};
use crate::enterprise::Department;
use crate::enterprise::name::{CompanyName, Region};
use crate::errors::Kind;
use crate::settings::ErrorLevel;
use crate::stream::{Stream, Weighted};

/// Rates in units of 0.01 %: reasoned defaults, as [`super::rates`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Company names written otherwise; renamings come on top.
    pub(crate) altered: u32,
    pub(crate) code_missing: u32,
    pub(crate) code_wrong: u32,
    pub(crate) representative_missing: u32,
    pub(crate) representative_wrong: u32,
    pub(crate) phone_missing: u32,
    pub(crate) phone_other: u32,
    pub(crate) address_missing: u32,
    /// An address that is not the present one, whatever the reason.
    pub(crate) address_moved: u32,
    pub(crate) full_width: u32,
    /// Half-years since a record was written: 0 up to this, all equally likely.
    pub(crate) lag_max: u32,
}

const LAG_SHORT: u32 = 1;
/// The longest lag of any department.
pub(crate) const LAG_LONGEST: u32 = 6;

/// Registration itself: names and codes are made here.
const MARKET: Rates = Rates {
    altered: 100,
    code_missing: 100,
    code_wrong: 50,
    representative_missing: 100,
    representative_wrong: 150,
    phone_missing: 1_500,
    phone_other: 2_000,
    address_missing: 500,
    address_moved: 500,
    full_width: 30,
    lag_max: LAG_SHORT,
};

const OTHERS: Rates = Rates {
    altered: 500,
    representative_missing: 500,
    address_missing: 2_000,
    address_moved: 1_500,
    full_width: 150,
    lag_max: LAG_LONGEST,
    ..MARKET
};

/// With renamings, 30 % of the names are altered.
const OTHERS_DIRTY: Rates = Rates {
    altered: 2_880,
    code_missing: 1_500,
    code_wrong: 200,
    representative_missing: 1_000,
    representative_wrong: 300,
    ..OTHERS
};

impl Rates {
    /// The rates of a department.
    pub(crate) fn of(department: Department, level: ErrorLevel) -> Self {
        match (level, department) {
            (ErrorLevel::None, _) => Self::default(),
            (_, Department::Market) => MARKET,
            (ErrorLevel::Dirty, _) => OTHERS_DIRTY,
            (ErrorLevel::Routine, _) => OTHERS,
        }
    }
}

/// The mix in per cent, less 5 % renamed, which follow from an enterprise's history.
static MIX: LazyLock<Weighted<Kind>> = LazyLock::new(|| {
    Weighted::new([
        (Kind::RegionForm, 16),
        (Kind::RegionDropped, 10),
        (Kind::FormChanged, 10),
        (Kind::Abbreviated, 16),
        (Kind::RegionBracketed, 8),
        (Kind::BrandHomophone, 14),
        (Kind::BrandLookAlike, 8),
        (Kind::TradeVaried, 6),
        (Kind::Traditional, 3),
        (Kind::CharacterLost, 4),
    ])
});

/// The name with one alteration, and its kind. A kind that a name cannot suffer is drawn again.
pub(crate) fn altered(stream: &mut Stream, name: &CompanyName) -> (String, Kind) {
    let text = name.text();
    for _ in 0..20 {
        let kind = MIX.pick(stream);
        let found = match kind {
            Kind::Traditional => Some(traditional(&text)),
            _ => suffer(stream, name, kind).map(|name| name.text()),
        };
        if let Some(found) = found.filter(|found| *found != text) {
            return (found, kind);
        }
    }
    // Any name can lose a character of its brand.
    let mut name = name.clone();
    name.brand.pop();
    (name.text(), Kind::CharacterLost)
}

fn suffer(stream: &mut Stream, name: &CompanyName, kind: Kind) -> Option<CompanyName> {
    let mut name = name.clone();
    match kind {
        Kind::RegionForm if name.region != Region::None => {
            let forms = [Region::City, Region::CityShort, Region::County];
            name.region = stream.pick(&forms);
        }
        Kind::RegionDropped if name.region != Region::None => name.region = Region::None,
        Kind::RegionBracketed => name.region = Region::Bracketed,
        Kind::FormChanged => name.form = stream.pick(name.forms.get(1..)?),
        // 广州鑫源, 鑫源贸易: the form goes, or the trade where a form remains.
        Kind::Abbreviated => match stream.below(3) {
            0 => name.form = "",
            1 => name.trade = "",
            _ => (name.trade, name.form) = ("", ""),
        },
        Kind::BrandHomophone => {
            name.brand = confused(stream, &name.brand, |c| {
                BRAND_CONFUSIONS.homophones(c, false)
            })?;
        }
        Kind::BrandLookAlike => {
            name.brand = confused(stream, &name.brand, |c| CONFUSIONS.look_alikes(c))?;
        }
        Kind::TradeVaried => {
            let present = name.trade;
            let words = name.trades.split(' ').filter(|word| *word != present);
            let words: Vec<&'static str> = words.collect();
            name.trade = stream.pick(&words);
        }
        Kind::CharacterLost => {
            let lost = stream.below(name.brand.chars().count() as u32) as usize;
            let kept = name.brand.chars().enumerate().filter(|(at, _)| *at != lost);
            name.brand = kept.map(|(_, character)| character).collect();
        }
        _ => return None,
    }
    Some(name)
}

/// The text with one character taken for another, beginning the search at a random place.
fn confused(stream: &mut Stream, text: &str, wrong: impl Fn(char) -> Vec<char>) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let start = stream.below(characters.len() as u32) as usize;
    let places = (0..characters.len()).map(|at| (start + at) % characters.len());
    let mut options = places.filter_map(|at| {
        let wrong = wrong(*characters.get(at)?);
        (!wrong.is_empty()).then_some((at, wrong))
    });
    let (place, wrong) = options.next()?;
    let taken = stream.pick(&wrong);
    let replaced = characters.iter().enumerate();
    Some(
        replaced
            .map(|(at, &c)| if at == place { taken } else { c })
            .collect(),
    )
}

fn traditional(text: &str) -> String {
    text.chars()
        .map(|c| CONFUSIONS.traditional(c).unwrap_or(c))
        .collect()
}

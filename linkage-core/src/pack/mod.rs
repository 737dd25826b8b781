//! The data pack: reference tables of Chinese identity data, embedded in the library.
//!
//! The tables stand as text in `linkage-core/pack`; `SOURCES.md` there names the package, version
//! and licence that each was derived from, and `scripts/data-pack` derives them again. Two owners
//! whose packs differ would normalise one name in two ways, so [`hash`] travels with what they
//! encode.
//!
//! | table | lookup | rows |
//! |---|---|---|
//! | private-use characters of GB 18030 | [`standard`] | 105 |
//! | strong folds | [`fold`] | 5 000 |
//! | weak classes | [`weak`] | 50 |
//! | Mandarin readings | [`reading`], [`readings`] | 37 000 |
//! | four-corner codes | [`four_corner`] | 37 000 |
//! | Hong Kong spellings | [`hong_kong`] | 23 000 |
//! | surnames | [`surname`], [`surnames`] | 850 |
//! | region codes ever issued | [`region`], [`regions`] | 7 000 |
//! | countries, ISO 3166-1 | [`country_numeric`], [`country_alpha3`] | 250 |
//!
//! A table is parsed at its first use and kept for the life of the process; its lists are leaked
//! on purpose, once, so that lookups return `'static` data. A lookup by character costs two array
//! reads.
//!
//! ```
//! use linkage_core::pack;
//!
//! let name: String = "錢鍾書".chars().map(pack::fold).collect();
//! assert_eq!(name, "钱钟书");
//! assert_eq!(pack::reading('单'), Some("dan"));
//! assert_eq!(pack::surname("单").map(|surname| surname.readings), Some(&["shan"][..]));
//! ```

use std::sync::LazyLock;

use ring::digest;

mod character_map;
mod country;
mod han;
mod region;
mod surname;
#[cfg(test)]
mod tests;

pub use country::{country_alpha3, country_numeric};
pub use han::{fold, four_corner, hong_kong, reading, readings, standard, weak};
pub use region::{Region, region, regions};
pub use surname::{Surname, surname, surnames};

/// Version of the pack; a change of any table that can change a normalised value raises it.
pub const VERSION: &str = "1";

/// The tables, by file name, in the order in which [`hash`] takes them: those that the script
/// derives, then the dictionaries that stand beside the parser of company names.
const TABLES: [(&str, &str); 12] = [
    ("private-use.tsv", han::PRIVATE_USE),
    ("fold.tsv", han::FOLD),
    ("weak.tsv", han::WEAK),
    ("readings.tsv", han::READINGS),
    ("four-corner.tsv", han::FOUR_CORNER),
    ("hong-kong.tsv", han::HONG_KONG),
    ("surnames.tsv", surname::SURNAMES),
    ("regions.tsv", region::REGIONS),
    ("countries.tsv", country::COUNTRIES),
    ("forms.tsv", COMPANY_FORMS),
    ("trades.txt", COMPANY_TRADES),
    ("towns.txt", TOWNS),
];

/// Organisation forms: spelling, class, canonical spelling.
pub(crate) const COMPANY_FORMS: &str = include_str!("../normalise/company/forms.tsv");
/// Words for trades in company names, one a line; `#` begins a remark.
pub(crate) const COMPANY_TRADES: &str = include_str!("../normalise/company/trades.txt");
/// Towns whose names are written without their ending: region code, then names.
pub(crate) const TOWNS: &str = include_str!("../normalise/company/towns.txt");

/// SHA-256 over all tables of the pack, in order, with their names and lengths.
///
/// Name and text of each table are preceded by their length in bytes as 64-bit big-endian numbers.
pub fn hash() -> &'static [u8; 32] {
    static HASH: LazyLock<[u8; 32]> = LazyLock::new(|| {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in TABLES.iter().flat_map(|(name, text)| [name, text]) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    });
    &HASH
}

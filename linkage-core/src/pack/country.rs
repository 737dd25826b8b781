//! Countries of ISO 3166-1, as identity documents write them: numeric and three letters.

use std::sync::LazyLock;

pub(super) const COUNTRIES: &str = include_str!("../../pack/countries.tsv");

/// Ascending by number.
static TABLE: LazyLock<Vec<(u16, &'static str)>> = LazyLock::new(|| {
    COUNTRIES
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(numeric, alpha3)| Some((numeric.parse().ok()?, alpha3)))
        .collect()
});

/// Three-letter code of a country by its number: 124 is `CAN`.
pub fn country_numeric(code: u16) -> Option<&'static str> {
    let place = TABLE.binary_search_by_key(&code, |row| row.0).ok()?;
    TABLE.get(place).map(|row| row.1)
}

/// Number of a country by its three-letter code in upper case: `CAN` is 124.
pub fn country_alpha3(code: &str) -> Option<u16> {
    TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
}

//! The data pack: reference tables that normalisation needs.
//!
//! `scripts/data-pack` derives the tables in `linkage-core/pack` from the packages that
//! `linkage-core/pack/SOURCES.md` names. They are part of the protocol: two owners whose tables
//! differ would encode one person differently, so [`hash`] travels with every batch.

mod country;
mod han;
mod hong_kong;
mod region;
mod surname;

use std::sync::LazyLock;

use ring::digest;

pub use country::{country_alpha3, country_numeric};
pub use han::{fold, four_corner, reading, readings, standard, weak};
pub use hong_kong::hong_kong;
pub use region::{Region, region, regions};
pub use surname::{Surname, surname, surnames};

/// Version of the tables, for people; [`hash`] is what counts.
pub const VERSION: &str = "1";

macro_rules! table {
    ($name:literal) => {
        ($name, include_str!(concat!("../../pack/", $name)))
    };
}

const COUNTRIES: (&str, &str) = table!("countries.tsv");
const HAN: (&str, &str) = table!("han.tsv");
const HONG_KONG: (&str, &str) = table!("hong-kong.tsv");
const PRIVATE_USE: (&str, &str) = table!("private-use.tsv");
const REGIONS: (&str, &str) = table!("regions.tsv");
const SURNAMES: (&str, &str) = table!("surnames.tsv");
const WEAK: (&str, &str) = table!("weak.tsv");

/// The tables, by name.
const TABLES: [(&str, &str); 7] = [
    COUNTRIES,
    HAN,
    HONG_KONG,
    PRIVATE_USE,
    REGIONS,
    SURNAMES,
    WEAK,
];

/// The rows of a table, each split into its columns.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().map(|line| line.split('\t').collect())
}

/// The only character of a text.
fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// SHA-256 over all tables, in order of their names, each preceded by its name and length in bytes.
pub fn hash() -> &'static [u8; 32] {
    static HASH: LazyLock<[u8; 32]> = LazyLock::new(|| {
        let mut context = digest::Context::new(&digest::SHA256);
        for (name, text) in TABLES {
            context.update(name.as_bytes());
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    });
    &HASH
}

#[cfg(test)]
mod tests;

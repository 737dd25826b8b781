//! Tables: names, places, companies' words, region codes, characters mistaken for each other.

pub(crate) mod characters;
pub(crate) mod companies;
pub(crate) mod foreign;
pub(crate) mod given_names;
pub(crate) mod hong_kong;
pub(crate) mod interpunct;
pub(crate) mod places;
pub(crate) mod regions;
pub(crate) mod surnames;

//! Tables: names, places, region codes, characters that are mistaken for each other.

pub(crate) mod characters;
pub(crate) mod given_names;
pub(crate) mod places;
pub(crate) mod regions;
pub(crate) mod surnames;

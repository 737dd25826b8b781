//! How a department's copy of a value goes wrong.

pub(crate) mod blank;
pub(crate) mod companies;
pub(crate) mod dates;
pub(crate) mod names;
pub(crate) mod numbers;
pub(crate) mod rates;

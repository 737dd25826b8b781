//! Company names: region, brand, trade, form and branch (行政区划 + 字号 + 行业 + 组织形式).

use std::sync::LazyLock;

use crate::data::companies::{BRAND_CHARACTERS, BRAND_LENGTHS};
use crate::data::places::City;
use crate::stream::{Stream, Weighted};

/// How the region stands in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// `广州市鑫源贸易有限公司`
    City,
    /// `广州鑫源贸易有限公司`
    CityShort,
    /// `广州市天河区鑫源贸易有限公司`
    County,
    /// `广东鑫源贸易有限公司`
    Province,
    /// `鑫源贸易（广州）有限公司`
    Bracketed,
    /// `鑫源贸易有限公司`
    None,
}

impl Region {
    /// Individual businesses are registered in a county and say so.
    pub(super) fn of_individual(drawn: Self) -> Self {
        match drawn {
            Self::Province | Self::Bracketed => Self::County,
            Self::City => Self::County,
            other => other,
        }
    }
}

/// Shares in Guangdong: with 市 59 %, city without 市 15 %, county 14 %, province 5 %, none 7 %; of
/// the last, the part with brackets is an assumption.
static REGIONS: LazyLock<Weighted<Region>> = LazyLock::new(|| {
    Weighted::new([
        (Region::City, 59),
        (Region::CityShort, 15),
        (Region::County, 14),
        (Region::Province, 5),
        (Region::Bracketed, 4),
        (Region::None, 3),
    ])
});

static LENGTHS: LazyLock<Weighted<usize>> = LazyLock::new(|| Weighted::new(BRAND_LENGTHS));

/// A company name in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyName {
    /// How the region is written.
    pub region: Region,
    /// The city, with 市.
    pub city: &'static str,
    /// The district or county.
    pub district: &'static str,
    /// 字号
    pub brand: String,
    /// 行业
    pub trade: &'static str,
    /// 组织形式
    pub form: &'static str,
    /// The words by which a branch is told from its company; empty for others.
    pub branch: String,
    /// Other words for the same trade, parted by spaces.
    pub(crate) trades: &'static str,
    /// What may be written for the form.
    pub(crate) forms: &'static [&'static str],
}

impl CompanyName {
    /// Draws how the region is written.
    pub(super) fn region(stream: &mut Stream) -> Region {
        REGIONS.pick(stream)
    }

    /// The name in full.
    pub fn text(&self) -> String {
        let city = self.city.trim_end_matches('市');
        let (brand, trade, form) = (&self.brand, self.trade, self.form);
        let mut text = match self.region {
            Region::City => format!("{}{brand}{trade}{form}", self.city),
            Region::CityShort => format!("{city}{brand}{trade}{form}"),
            // County-level cities and counties stand alone, districts after their city.
            Region::County if self.district.ends_with(['市', '县']) => {
                format!("{}{brand}{trade}{form}", self.district)
            }
            Region::County => format!("{}{}{brand}{trade}{form}", self.city, self.district),
            Region::Province => format!("广东{brand}{trade}{form}"),
            Region::Bracketed => format!("{brand}{trade}（{city}）{form}"),
            Region::None => format!("{brand}{trade}{form}"),
        };
        text += &self.branch;
        text
    }
}

/// A brand of 2 to 4 distinct characters.
pub(super) fn brand(stream: &mut Stream) -> String {
    let length = LENGTHS.pick(stream);
    let mut brand: Vec<char> = Vec::with_capacity(length);
    while brand.len() < length {
        let character = BRAND_CHARACTERS.pick(stream);
        if !brand.contains(&character) {
            brand.push(character);
        }
    }
    String::from_iter(brand)
}

/// What a branch adds to its company's name: its place, or a number.
pub(super) fn branch(stream: &mut Stream, city: &City, ordinal: u32) -> String {
    let kind = stream.pick(&["分公司", "分公司", "分公司", "营业部", "门市部", "分店"]);
    if stream.chance(7_000) {
        return format!("{}{kind}", city.name.trim_end_matches('市'));
    }
    let number = ["一", "二", "三"].get(ordinal as usize).copied();
    format!("第{}{kind}", number.unwrap_or("四"))
}

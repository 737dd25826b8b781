//! Addresses: where people live, and the ways clerks write it down.

use std::fmt::Write;
use std::sync::LazyLock;

use crate::data::places::{CITIES, City, ROAD_STEMS, ROAD_SUFFIXES};
use crate::stream::{Stream, Weighted};

static CITY_TABLE: LazyLock<Weighted<&'static City>> =
    LazyLock::new(|| Weighted::new(CITIES.iter().map(|city| (city, city.residents))));

/// A dwelling in Guangdong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    city: &'static str,
    district: &'static str,
    road: (&'static str, &'static str),
    number: u32,
    building: Option<u32>,
    floor: u32,
    room: u32,
}

impl Address {
    /// Draws a dwelling; cities by their residents.
    pub(crate) fn draw(stream: &mut Stream) -> Self {
        let city = CITY_TABLE.pick(stream);
        let district = stream.pick(city.districts).0;
        Self::within(stream, city, district)
    }

    /// Draws an address in a district.
    pub(crate) fn within(stream: &mut Stream, city: &'static City, district: &'static str) -> Self {
        let many = stream.chance(6_500);
        let building = 1 + stream.below(24);
        Self {
            city: city.name,
            district,
            road: (stream.pick(ROAD_STEMS), stream.pick(ROAD_SUFFIXES)),
            number: 1 + stream.below(360),
            building: many.then_some(building),
            floor: 1 + stream.below(if many { 28 } else { 7 }),
            room: 1 + stream.below(6),
        }
    }

    /// The city's name, with 市.
    pub fn city(&self) -> &'static str {
        self.city
    }

    /// Writes the address in the commonest way.
    pub(crate) fn plain(&self) -> String {
        self.text(String::from(self.city), false, "栋", "")
    }

    /// Writes the address as a clerk might. Shares as counted over 115 687 real Guangdong
    /// addresses: 81 % begin with the city, 6 % with the province, 8 % with the district (the rest,
    /// here, with the city short of its 市); 21 % carry Han numerals before 号 and 栋.
    pub(crate) fn written(&self, stream: &mut Stream) -> String {
        let start = match stream.below(100) {
            0..81 => String::from(self.city),
            81..87 => format!("广东省{}", self.city),
            87..95 => String::new(),
            _ => String::from(self.city.trim_end_matches('市')),
        };
        let han = stream.chance(2_100);
        let block = stream.pick(&["栋", "栋", "座", "幢", "号楼"]);
        let room = stream.pick(&["", "房", "室"]);
        self.text(start, han, block, room)
    }

    fn text(&self, start: String, han: bool, block: &str, room: &str) -> String {
        let mut text = start;
        let push = |text: &mut String, number: u32| {
            if han {
                text.push_str(&han_number(number));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(text, "{number}");
            }
        };
        text += self.district;
        text += self.road.0;
        text += self.road.1;
        push(&mut text, self.number);
        text += "号";
        if let Some(building) = self.building {
            push(&mut text, building);
            text += block;
        }
        let _ = write!(text, "{}{:02}{room}", self.floor, self.room);
        text
    }
}

/// The number in Han numerals, multiplicative, 1 to 999.
fn han_number(number: u32) -> String {
    const DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let digit = |value: u32| DIGITS.get(value as usize).copied().unwrap_or_default();
    let (hundreds, tens, ones) = (number / 100, number / 10 % 10, number % 10);
    let mut text = String::new();
    if hundreds > 0 {
        text += digit(hundreds);
        text.push('百');
    }
    match tens {
        0 if hundreds > 0 && ones > 0 => text.push('零'),
        0 => {}
        1 if hundreds == 0 => text.push('十'),
        _ => {
            text += digit(tens);
            text.push('十');
        }
    }
    if ones > 0 {
        text += digit(ones);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn han_numbers() {
        let cases = [
            (3, "三"),
            (10, "十"),
            (25, "二十五"),
            (101, "一百零一"),
            (215, "二百一十五"),
            (360, "三百六十"),
        ];
        for (number, text) in cases {
            assert_eq!(han_number(number), text);
        }
    }
}

//! Attributes that departments tabulate, dependent on each other through age and standing.

use super::address::Address;
use super::pattern::{Member, Role};
use super::person::Sex;
use crate::stream::Stream;

/// A person's attributes. A department states only its own; a department never contradicts
/// another, so cross tables show the dependence built in here. The figures are made up: they have
/// the right direction and no source.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// Social security: `employed`, `self-employed`, `unemployed`, `retired`.
    pub employment: &'static str,
    /// Social security: `1` (lowest) to `5`.
    pub income_band: &'static str,
    /// Health: `none`, `hypertension`, `diabetes`, `other`.
    pub chronic: &'static str,
    /// Credit: `A` (best) to `D`.
    pub grade: &'static str,
    /// Market regulation: `legal-representative`, `shareholder`, `supervisor`.
    pub position: &'static str,
}

/// A household's economic standing, 0 to 99: the triangular sum of two draws, higher in the delta.
pub(super) fn standing(stream: &mut Stream, address: &Address) -> i32 {
    let drawn = stream.below(45) + stream.below(45);
    let delta = ["广州市", "深圳市", "佛山市", "东莞市", "珠海市"].contains(&address.city());
    drawn as i32 + if delta { 10 } else { 0 }
}

impl Traits {
    pub(super) fn draw(stream: &mut Stream, member: &Member, standing: i32) -> Self {
        let employment = employment(stream, member);
        let band = income_band(stream, member.age(), standing, employment);
        let chronic = chronic(stream, member.age(), band);
        let grade = grade(stream, member.age(), band, employment);
        let position = match stream.below(100) {
            0..45 => "legal-representative",
            45..80 => "shareholder",
            _ => "supervisor",
        };
        let income_band = match band {
            1 => "1",
            2 => "2",
            3 => "3",
            4 => "4",
            _ => "5",
        };
        Self {
            employment,
            income_band,
            chronic,
            grade,
            position,
        }
    }
}

fn employment(stream: &mut Stream, member: &Member) -> &'static str {
    let retires = if member.sex == Sex::Male { 60 } else { 53 };
    let drawn = stream.below(100);
    match member.age() {
        age if age >= retires && drawn < 88 => "retired",
        ..22 if drawn < 55 => "unemployed",
        _ if drawn < 6 => "unemployed",
        _ if drawn < 28 && member.role != Role::Child => "self-employed",
        _ => "employed",
    }
}

fn income_band(stream: &mut Stream, age: i16, standing: i32, employment: &str) -> u32 {
    let career = match age {
        ..25 => -15,
        25..35 => 0,
        35..50 => 10,
        _ => 0,
    };
    let work = match employment {
        "unemployed" => -30,
        "retired" => -10,
        "self-employed" => 5,
        _ => 8,
    };
    match standing + career + work + stream.between(-20, 20) {
        ..25 => 1,
        25..42 => 2,
        42..58 => 3,
        58..75 => 4,
        _ => 5,
    }
}

fn chronic(stream: &mut Stream, age: i16, band: u32) -> &'static str {
    // Per 1 000 people of the age group at middle income.
    let (hypertension, diabetes, other) = match age {
        ..18 => (1, 2, 25),
        18..30 => (15, 8, 35),
        30..45 => (70, 30, 50),
        45..60 => (230, 90, 80),
        60..75 => (400, 150, 110),
        _ => (470, 160, 150),
    };
    // The lowest band carries 1.3 times, the highest 0.7 times the middle's burden.
    let scale = 145 - 15 * band;
    let drawn = stream.below(1_000) * 100;
    match () {
        () if drawn < hypertension * scale => "hypertension",
        () if drawn < (hypertension + diabetes) * scale => "diabetes",
        () if drawn < (hypertension + diabetes + other) * scale => "other",
        () => "none",
    }
}

fn grade(stream: &mut Stream, age: i16, band: u32, employment: &str) -> &'static str {
    let history = if age >= 35 { 12 } else { 0 };
    let work = if employment == "unemployed" { -20 } else { 0 };
    match band as i32 * 18 + history + work + stream.between(0, 50) {
        105.. => "A",
        80..105 => "B",
        52..80 => "C",
        _ => "D",
    }
}

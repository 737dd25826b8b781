//! A population of made-up people: surnames by their weight, common characters, household-like
//! addresses. Every draw follows from one seed.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::pack;

/// Characters of given names, the commoner first.
const GIVEN: &str = "明华伟国文志英建玉丽海红春平金秀军晓林小强芳梅永燕德荣敏辉杰斌云龙飞\
                     涛洪艳生宏胜利新东清波鹏宇桂兰霞亮超俊成光福婷雪家凤少慧振洁勇立忠天\
                     梓涵浩轩雨欣怡佳诗思嘉子豪博睿晨阳静娟琳琴珍莉萍青宁安康达良义仁礼";

/// Weights for people with name, date, sex, telephone and address, as a schema.
pub(in crate::encode) fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [[field]]
        name = "name"
        kind = "name"
        feature = [
            { kind = "q-gram", q = 1, bits = 75 },
            { kind = "pinyin-bigram", part = "pinyin", bits = 70 },
            { kind = "fuzzy-syllable", part = "pinyin", bits = 45 },
            { kind = "four-corner", bits = 60 },
        ]
        [[field]]
        name = "born"
        kind = "date"
        feature = [
            { kind = "date-components", bits = 110 },
            { kind = "positional-q-gram", q = 2, bits = 70 },
        ]
        [[field]]
        name = "phone"
        kind = "phone"
        feature = [
            { kind = "whole", part = "number", bits = 28 },
            { kind = "positional-q-gram", part = "number", q = 1, bits = 44 },
        ]
        [[field]]
        name = "place"
        kind = "address"
        feature = [
            { kind = "whole", part = "district", bits = 15 },
            { kind = "q-gram", part = "road", q = 2, bits = 65 },
            { kind = "whole", part = "house-number", bits = 30 },
        ]
        [[block_key]]
        name = "born"
        parts = [{ field = "born" }]
        "#,
    )
    .unwrap()
}

/// A place in a list of `count`, the earlier the likelier (Zipf's law).
fn zipf(rng: &mut ChaCha20Rng, count: usize) -> usize {
    let place = (count as f64).powf(rng.random::<f64>()) as usize;
    place.clamp(1, count) - 1
}

fn pinyin(text: &str) -> String {
    let readings: Vec<_> = text.chars().map(|c| pack::reading(c).unwrap()).collect();
    readings.join(" ")
}

/// `count` people.
pub(in crate::encode) fn people(count: usize) -> Vec<NormalRecord> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let given: Vec<char> = GIVEN.chars().filter(|c| !c.is_whitespace()).collect();
    let mut surnames: Vec<_> = pack::surnames().iter().collect();
    surnames.sort_by_key(|surname| std::cmp::Reverse(surname.weight));
    let total: u32 = surnames.iter().map(|surname| surname.weight).sum();
    let mut person_of = || {
        let mut left = rng.random_range(0..total);
        let surname = surnames.iter().find(|surname| {
            let found = left < surname.weight;
            left = left.saturating_sub(surname.weight);
            found
        });
        let mut name = surname.unwrap().text.to_owned();
        for _ in 0..if rng.random_bool(0.84) { 2 } else { 1 } {
            name.push(given[zipf(&mut rng, given.len())]);
        }
        let road: String = (0..3)
            .map(|_| given[zipf(&mut rng, given.len())])
            .chain(['路'])
            .collect();
        person(&Person {
            name: &name,
            pinyin: &pinyin(&name),
            born: (
                rng.random_range(1935..2020),
                rng.random_range(1..=12),
                rng.random_range(1..=28),
            ),
            phone: Some(&format!("13{:09}", rng.random_range(0..1_000_000_000))),
            place: Some([
                &format!("44{:04}", zipf(&mut rng, 150)),
                &road,
                &format!("#{}", zipf(&mut rng, 999)),
            ]),
        })
    };
    (0..count).map(|_| person_of()).collect()
}

use super::*;
use std::collections::HashSet;

use crate::population::resident_id::{belongs_to_no_one, is_well_formed};

fn population(persons: u32) -> Population {
    Population::new(&Settings::new(11, persons).unwrap())
}

#[test]
fn a_block_seats_the_stated_shares() {
    assert_eq!(SEATS.len(), PERSONS_PER_BLOCK as usize);
    let heads = |size| {
        SEATS
            .iter()
            .filter(|s| s.place == 0 && s.size == size)
            .count() as u32
    };
    assert_eq!([1, 2, 3, 4, 5].map(heads), SIZES);
}

#[test]
fn every_person_has_a_distinct_impossible_number() {
    let population = population(60_000);
    let mut seen = HashSet::new();
    for index in 0..population.persons() {
        let (_, person) = population.person(index).unwrap();
        assert!(is_well_formed(&person.id_number), "{}", person.id_number);
        assert!(belongs_to_no_one(&person.id_number), "{}", person.id_number);
        let digits = person.id_number.as_bytes();
        assert_eq!(digits[16] % 2 == 1, person.sex == Sex::Male);
        assert_eq!(
            &person.id_number[6..14],
            person.birth_date.strftime("%Y%m%d").to_string()
        );
        assert!(seen.insert(person.id_number));
    }
    assert!(population.person(60_000).is_none());
}

#[test]
fn ages_follow_the_census() {
    let population = population(48_000);
    let (mut young, mut working, mut old, mut male) = (0, 0, 0, 0);
    for index in 0..population.persons() {
        let (_, person) = population.person(index).unwrap();
        match person.age() {
            ..0 => panic!("born after the reference date"),
            0..15 => young += 1,
            15..60 => working += 1,
            60..=105 => old += 1,
            _ => panic!("older than anyone"),
        }
        male += u32::from(person.sex == Sex::Male);
    }
    // Census of 2020: 18.85 %, 68.80 %, 12.35 %; men 53.07 %. Two points either way.
    let share = |count: u32| f64::from(count) * 100.0 / 48_000.0;
    let found = [young, working, old, male].map(share);
    for (found, census) in found.into_iter().zip([18.85, 68.80, 12.35, 53.07]) {
        assert!((found - census).abs() < 2.0, "{found} against {census}");
    }
}

#[test]
fn families_share_what_families_share() {
    let population = population(48_000);
    let (mut twins, mut shared, mut pairs, mut mothers_name) = (0, 0, 0, 0);
    for index in 0..population.persons() {
        let (household, person) = population.person(index).unwrap();
        let member = household.members()[person.place];
        if member.role != Role::Child {
            continue;
        }
        let adults = || household.members().iter().filter(|m| m.role == Role::Adult);
        assert!(adults().any(|adult| adult.surname == member.surname));
        mothers_name += u32::from(household.members()[0].surname != member.surname);
        assert!(adults().all(|adult| adult.age() >= member.age() + 16));
        if person.age() < 6 {
            let phones = (0..household.members().len())
                .filter(|&place| household.members()[place].role == Role::Adult)
                .map(|place| household.person(place).unwrap().mobile);
            assert!(phones.into_iter().any(|phone| phone == person.mobile));
        }
        let older = person
            .place
            .checked_sub(1)
            .and_then(|place| household.person(place));
        let Some(sibling) = older.filter(|p| household.members()[p.place].role == Role::Child)
        else {
            continue;
        };
        pairs += 1;
        shared += u32::from(sibling.given.chars().next() == person.given.chars().next());
        if member.twin {
            twins += 1;
            assert_eq!(sibling.birth_date, person.birth_date);
        }
    }
    assert!(twins > 0 && mothers_name > 0);
    let share = f64::from(shared) / f64::from(pairs);
    // 35 % by the generation character, and a little by chance.
    assert!((0.32..0.42).contains(&share), "{share}");
}

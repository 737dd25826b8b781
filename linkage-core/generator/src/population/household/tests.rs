use super::*;
use std::collections::{HashMap, HashSet};

use crate::population::PERSONS_MAX;
use crate::population::Population;
use crate::population::pattern::{PATTERN_PERSONS, SIZES, size_of};
use crate::population::resident_id::{belongs_to_no_one, is_well_formed};
use crate::settings::Settings;

fn settings() -> Settings {
    Settings::new(11, 1).unwrap()
}

fn population() -> Population {
    Population::new(&settings())
}

#[test]
fn a_block_has_the_stated_sizes() {
    let count = |size| (0..100).filter(|&h| size_of(h) == size).count() as u32;
    assert_eq!([1, 2, 3, 4, 5].map(count), SIZES);
}

/// Checks one person's number and puts it into `seen`; whether it was there already.
fn check(person: &Person, seen: &mut HashSet<String>) -> bool {
    assert!(is_well_formed(&person.id_number), "{}", person.id_number);
    let digits = person.id_number.as_bytes();
    assert_eq!(digits[16] % 2 == 1, person.sex == Sex::Male);
    let date = person.birth_date.strftime("%Y%m%d").to_string();
    assert_eq!(person.id_number[6..14], date);
    for other in [&person.former_number, &person.travel_permit] {
        assert!(other.clone().is_none_or(|other| seen.insert(other)));
    }
    !seen.insert(person.id_number.clone())
}

#[test]
fn numbers_are_distinct_and_impossible() {
    let population = population();
    let mut seen = HashSet::new();
    let (mut shared, mut twice) = (0, 0);
    // Several repetitions of the pattern, and the last.
    let last = PERSONS_MAX - PATTERN_PERSONS..PERSONS_MAX;
    for index in (0..4 * PATTERN_PERSONS).chain(last) {
        let person = population.person(index).unwrap();
        assert!(belongs_to_no_one(&person.id_number), "{}", person.id_number);
        shared += u32::from(person.shared_number);
        twice += u32::from(check(&person, &mut seen));
    }
    // 0.13 % of 240 000, less twins.
    assert!((230..360).contains(&shared), "{shared}");
    // A number is only seen twice where it was given out twice; not all holders are among those
    // looked at.
    assert!(
        twice <= shared && twice * 10 > shared * 8,
        "{twice} of {shared}"
    );
    assert!(population.person(PERSONS_MAX).is_none());
}

#[test]
fn realistic_numbers_are_distinct_and_some_of_old_codes() {
    let population = Population::new(&settings().with_realistic_ids());
    let mut seen = HashSet::new();
    let (mut shared, mut twice, mut local, mut former) = (0, 0, 0, 0);
    for index in 0..4 * PATTERN_PERSONS {
        let person = population.person(index).unwrap();
        shared += u32::from(person.shared_number);
        twice += u32::from(check(&person, &mut seen));
        let code: u32 = person.id_number[..6].parse().unwrap();
        local += u32::from(code / 10_000 == 44);
        former += u32::from(crate::data::regions::FOLLOWED.iter().any(|f| f.1 == code));
    }
    assert!(twice <= shared);
    let share = f64::from(former) / f64::from(local);
    assert!((0.10..0.14).contains(&share), "{share}");
}

#[test]
fn ages_follow_the_census() {
    let population = population();
    let (mut young, mut working, mut old, mut male) = (0, 0, 0, 0);
    for index in 0..PATTERN_PERSONS {
        let person = population.person(index).unwrap();
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
    let share = |count: u32| f64::from(count) * 100.0 / f64::from(PATTERN_PERSONS);
    let found = [young, working, old, male].map(share);
    for (found, census) in found.into_iter().zip([18.85, 68.80, 12.35, 53.07]) {
        assert!((found - census).abs() < 2.0, "{found} against {census}");
    }
}

#[test]
fn rare_groups_have_their_shares_and_documents() {
    for factor in [1, 10] {
        let settings = settings().with_oversample(factor).unwrap();
        let population = Population::new(&settings);
        let mut counts = HashMap::new();
        for index in 0..PATTERN_PERSONS {
            let person = population.person(index).unwrap();
            let group = match person.origin {
                Origin::Mainland => continue,
                Origin::Interpunct => {
                    assert!(person.given.contains('·') && person.surname.is_empty());
                    "interpunct"
                }
                Origin::Foreign(_) => {
                    assert!(person.given.contains(' ') && person.id_number.starts_with("944"));
                    "foreign"
                }
                Origin::Taiwan => "border",
                Origin::HongKong | Origin::Macau => {
                    assert!(naming::romanised(person.surname, &person.given).is_some());
                    assert!(person.travel_permit.as_ref().unwrap().len() == 9);
                    "border"
                }
            };
            assert_eq!(person.travel_permit.is_some(), group == "border");
            *counts.entry(group).or_insert(0) += 1;
        }
        let share = |group| f64::from(counts[group]) * 100.0 / f64::from(PATTERN_PERSONS * factor);
        assert!((0.10..=0.15).contains(&share("interpunct")), "{counts:?}");
        assert!((0.28..=0.33).contains(&share("border")), "{counts:?}");
        assert!((0.09..=0.115).contains(&share("foreign")), "{counts:?}");
    }
}

#[test]
fn families_share_what_families_share() {
    let population = population();
    let (mut twins, mut shared, mut pairs, mut mothers_name) = (0, 0, 0, 0);
    for index in 0..PATTERN_PERSONS {
        let (household, place) = population.household(index).unwrap();
        let member = household.members()[place];
        if member.role != Role::Child || member.origin != Origin::Mainland {
            continue;
        }
        let person = household.person(place).unwrap();
        let adults = || {
            (0..)
                .zip(household.members())
                .filter(|(_, m)| m.role == Role::Adult)
        };
        assert!(adults().any(|(adult, _)| household.surname(adult) == person.surname));
        mothers_name += u32::from(household.surname(0) != person.surname);
        assert!(adults().all(|(_, adult)| adult.age() >= member.age() + 16));
        if person.age() < 6 {
            assert!(adults().any(|(adult, _)| household.mobile(adult, 0) == person.mobile));
        }
        let older = place.checked_sub(1);
        let older = older.filter(|&older| household.members()[older].role == Role::Child);
        let Some(sibling) = older.and_then(|older| household.person(older)) else {
            continue;
        };
        pairs += 1;
        shared += u32::from(sibling.given.chars().next() == person.given.chars().next());
        if member.twin {
            twins += 1;
            assert_eq!(sibling.birth_date, person.birth_date);
            assert_ne!(sibling.id_number, person.id_number);
        }
    }
    assert!(twins > 0 && mothers_name > 0);
    let share = f64::from(shared) / f64::from(pairs);
    // 35 % by the generation character, and a little by chance.
    assert!((0.32..0.42).contains(&share), "{share}");
}

#[test]
fn earlier_phones_and_addresses_are_lasting_facts() {
    let population = population();
    let (mut moved, mut changed) = (0, 0);
    for index in 0..20_000 {
        let (household, place) = population.household(index).unwrap();
        assert_eq!(household.moves(0), 0);
        let moves = household.moves(2);
        assert!(moves <= household.moves(5));
        if moves > 0 {
            moved += 1;
            assert_eq!(household.address(moves), household.address(moves));
            assert_ne!(household.address(moves), household.address(0));
        }
        changed += u32::from(household.phone_changes(place, 2) > 0);
    }
    // 8 and 12 % in a year. Members of a household move together: a wide margin.
    assert!((1_400..1_800).contains(&moved), "{moved}");
    assert!((2_150..2_650).contains(&changed), "{changed}");
}

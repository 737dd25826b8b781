//! Departments' records of persons.

use std::collections::{HashMap, HashSet};

use linkage_generator::errors::{Field, Kind};
use linkage_generator::output::{Dataset as _, Row as _};
use linkage_generator::population::resident_id::{belongs_to_no_one, is_well_formed};
use linkage_generator::{Department, ErrorLevel, Population, Record, Settings};

use super::{assert_rate, records, settings};

#[test]
fn more_persons_keep_the_earlier_ones() {
    let by_id = |persons| -> HashMap<String, String> {
        let records = records(Department::Health, &settings(persons));
        records
            .iter()
            .map(|r| (r.record_id.clone(), format!("{r:?}")))
            .collect()
    };
    let (few, many) = (by_id(700), by_id(2_000));
    assert!(many.len() > few.len());
    for (id, record) in &few {
        assert_eq!(many.get(id), Some(record));
    }
}

#[test]
fn another_seed_gives_other_people() {
    let names = |seed| -> Vec<String> {
        let records = records(Department::Health, &Settings::new(seed, 200).unwrap());
        records.into_iter().map(|record| record.name).collect()
    };
    assert_ne!(names(1), names(2));
}

#[test]
fn clean_fields_are_the_truth_and_logged_ones_are_not() {
    let settings = settings(20_000).with_errors(ErrorLevel::Dirty);
    let settings = settings.with_oversample(10).unwrap();
    let population = Population::new(&settings);
    for department in Department::ALL {
        for record in records(department, &settings) {
            let (household, place) = population.household(record.person).unwrap();
            let person = household.person(place).unwrap();
            let failed = |field| {
                let mut found = record.errors.iter().filter(|error| error.0 == field);
                found.any(|error| error.1 != Kind::SharedNumber)
            };
            let differs = [
                (Field::Name, record.name != person.name()),
                (Field::IdNumber, record.id_number != person.id_number),
                (Field::Mobile, digits(&record.mobile) != person.mobile),
            ];
            for (field, differs) in differs {
                assert_eq!(differs, failed(field), "{field:?} {record:?} of {person:?}");
            }
        }
    }
}

/// A mobile number without the country and spaces that departments put in.
fn digits(mobile: &str) -> String {
    mobile.trim_start_matches("+86").replace(' ', "")
}

#[test]
fn without_errors_departments_differ_in_format_only() {
    let settings = settings(3_000)
        .with_errors(ErrorLevel::None)
        .with_oversample(10)
        .unwrap();
    let population = Population::new(&settings);
    let mut addresses: HashMap<u32, String> = HashMap::new();
    for department in Department::ALL {
        for record in records(department, &settings) {
            let person = population.person(record.person).unwrap();
            assert!(record.errors.iter().all(|e| e.1 == Kind::SharedNumber));
            assert_eq!(record.name, person.name());
            assert_eq!(record.id_number, person.id_number);
            assert_eq!(digits(&record.mobile), person.mobile);
            let address = record.address.clone();
            assert_eq!(
                *addresses.entry(record.person).or_insert(address),
                record.address
            );
        }
    }
}

#[test]
fn every_valid_number_in_the_data_is_impossible() {
    let settings = settings(40_000).with_errors(ErrorLevel::Dirty);
    let not_own = [Kind::Relative, Kind::SharedNumber];
    for department in Department::ALL {
        let mut owners: HashMap<String, u32> = HashMap::new();
        let mut shared = HashSet::new();
        for record in records(department, &settings) {
            let number = &record.id_number;
            if !is_well_formed(number) {
                continue;
            }
            assert!(belongs_to_no_one(number), "{number}");
            if record.errors.iter().any(|error| not_own.contains(&error.1)) {
                shared.insert(number.clone());
                continue;
            }
            let owner = *owners.entry(number.clone()).or_insert(record.person);
            assert_eq!(owner, record.person, "two persons have {number}");
        }
        assert!(!shared.is_empty() || department == Department::Market);
    }
}

#[test]
fn surnames_follow_guangdong() {
    let population = Population::new(&settings(1));
    // Families share a surname: count one person per household.
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut households = 0;
    for index in 0..60_000 {
        let person = population.person(index).unwrap();
        if person.place == 0 && !person.surname.is_empty() {
            households += 1;
            *counts.entry(person.surname).or_default() += 1;
        }
    }
    // 99 981 legal representatives of Guangdong enterprises.
    let shares = [
        ("陈", 8.6),
        ("李", 6.4),
        ("黄", 5.5),
        ("张", 4.8),
        ("刘", 4.1),
        ("林", 3.2),
        ("王", 3.2),
        ("吴", 2.8),
        ("梁", 2.8),
        ("杨", 2.4),
        ("何", 2.0),
        ("周", 2.0),
        ("郑", 1.7),
        ("罗", 1.6),
        ("蔡", 1.2),
    ];
    for (surname, share) in shares {
        assert_rate(counts[surname], households, share / 100.0, surname);
    }
    assert!(counts.len() >= 150);
}

#[test]
fn departments_overlap_and_cover_what_they_should() {
    let settings = settings(20_000);
    let population = Population::new(&settings);
    let persons = |department: Department| -> HashSet<u32> {
        let records = records(department, &settings);
        records.iter().map(|record| record.person).collect()
    };
    let covered = Department::ALL.map(persons);
    for (index, one) in covered[..4].iter().enumerate() {
        for other in &covered[index + 1..4] {
            let both = one.intersection(other).count();
            assert!(both * 10 > one.len().max(other.len()) * 4, "{both}");
        }
    }
    let mut eligible = [0; 3];
    for index in 0..20_000 {
        let person = population.person(index).unwrap();
        eligible[0] += usize::from((16..=75).contains(&person.age()));
        eligible[1] += 1;
        eligible[2] += usize::from(person.age() >= 18);
    }
    let [working, all, adults] = eligible;
    let eligible = [working, all, adults, adults, adults];
    let shares = [0.80, 0.70, 0.75, 0.60, 0.09];
    for ((found, eligible), share) in covered.iter().zip(eligible).zip(shares) {
        assert_rate(found.len(), eligible, share, "coverage");
    }
}

#[test]
fn duplicates_are_copies_of_one_person() {
    for department in Department::ALL {
        let settings = settings(60_000);
        let mut copies: HashMap<u32, Vec<Record>> = HashMap::new();
        for record in records(department, &settings) {
            copies.entry(record.person).or_default().push(record);
        }
        let twice: Vec<&Vec<Record>> = copies.values().filter(|c| c.len() > 1).collect();
        assert_rate(twice.len(), copies.len(), 0.015, "duplicates");
        for pair in twice {
            assert_eq!(pair.len(), 2);
            assert_ne!(pair[0].record_id, pair[1].record_id);
            assert_eq!(pair[0].attributes, pair[1].attributes);
        }
        let once = records(department, &settings.without_duplicates());
        assert_eq!(once.len(), copies.len());
    }
}

#[test]
fn episodes_are_further_records_of_a_person() {
    let settings = settings(10_000).without_duplicates();
    let one = records(Department::Health, &settings);
    let many = records(
        Department::Health,
        &settings.clone().with_episodes(6).unwrap(),
    );
    let mut visits: HashMap<u32, usize> = HashMap::new();
    for record in &many {
        *visits.entry(record.person).or_default() += 1;
    }
    assert_eq!(visits.len(), one.len());
    assert_eq!(visits.values().max(), Some(&6));
    let several = visits.values().filter(|&&count| count > 1).count();
    assert_rate(several, visits.len(), 0.5, "people with several visits");
    // Those who have one only have the same one, and other departments are as before.
    let known: HashSet<String> = many.into_iter().map(|record| record.record_id).collect();
    assert!(one.iter().all(|record| known.contains(&record.record_id)));
    let credit = |settings: &Settings| format!("{:?}", records(Department::Credit, settings));
    assert_eq!(
        credit(&settings),
        credit(&settings.clone().with_episodes(6).unwrap())
    );
}

#[test]
fn every_department_reaches_the_target() {
    for (seed, count) in [(1, 100), (2, 1_000), (3, 10_000), (4, 50_000)] {
        let settings = Settings::for_records(seed, count).unwrap();
        for department in Department::ALL {
            for settings in [settings.clone(), settings.clone().without_duplicates()] {
                assert_eq!(
                    records(department, &settings).len() as u64,
                    count,
                    "{department}"
                );
            }
        }
    }
}

#[test]
fn more_than_there_are_is_refused() {
    let settings = Settings::for_records(1, 100_000_000).unwrap();
    assert!(Department::Health.records(&settings).is_ok());
    assert!(Department::Credit.records(&settings).is_ok());
    let refused = Department::Market.records(&settings).err().unwrap();
    assert!(
        refused.to_string().contains("persons would be needed"),
        "{refused}"
    );
}

#[test]
fn any_row_of_a_hundred_million_is_there_at_once() {
    let settings = Settings::for_records(1, 100_000_000)
        .unwrap()
        .with_errors(ErrorLevel::None)
        .without_duplicates();
    let health = Department::Health.records(&settings).unwrap();
    let (mut numbers, mut rows) = (HashSet::new(), 0);
    for position in (0..health.visits()).step_by(7_001) {
        let Some(record) = health.row(position) else {
            continue;
        };
        rows += 1;
        let shared = record
            .errors
            .contains(&(Field::IdNumber, Kind::SharedNumber));
        assert!(is_well_formed(&record.id_number) || record.id_number.len() != 18);
        assert!(numbers.insert(record.id_number) || shared);
    }
    assert_rate(rows, 41_000, 0.35, "rows of visits");
}

#[test]
fn row_order_does_not_align_departments() {
    let settings = settings(5_000);
    let order = |department: Department| -> Vec<u32> {
        let records = records(department, &settings);
        records.iter().map(|record| record.person).collect()
    };
    let health = order(Department::Health);
    let credit = order(Department::Credit);
    let aligned = health.iter().zip(&credit).filter(|(a, b)| a == b).count();
    assert!(aligned < 10, "{aligned}");
    let rising = health.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(
        rising.abs_diff(health.len() / 2) < health.len() / 20,
        "{rising}"
    );
}

#[test]
fn attributes_depend_on_each_other_across_departments() {
    let settings = settings(60_000);
    let attribute = |department: Department, column: usize| -> HashMap<u32, &'static str> {
        let records = records(department, &settings);
        records
            .iter()
            .map(|r| (r.person, r.attributes[column]))
            .collect()
    };
    let income = attribute(Department::SocialSecurity, 1);
    let grade = attribute(Department::Credit, 0);
    let chronic = attribute(Department::Health, 0);
    let share = |of: &HashMap<u32, &'static str>, band: &str, value: &str| {
        let joined = income.iter().filter(|entry| *entry.1 == band);
        let values: Vec<_> = joined.filter_map(|entry| of.get(entry.0)).collect();
        values.iter().filter(|found| **found == &value).count() as f64 / values.len() as f64
    };
    assert!(share(&grade, "5", "A") > 3.0 * share(&grade, "2", "A"));
    assert!(share(&chronic, "1", "none") < share(&chronic, "5", "none"));
    for (department, column, values) in [
        (
            Department::SocialSecurity,
            0,
            &["employed", "self-employed", "unemployed", "retired"][..],
        ),
        (Department::SocialSecurity, 1, &["1", "2", "3", "4", "5"]),
        (
            Department::Health,
            0,
            &["none", "hypertension", "diabetes", "other"],
        ),
        (Department::Credit, 0, &["A", "B", "C", "D"]),
    ] {
        let column = attribute(department, column);
        for value in values {
            let count = column.values().filter(|found| *found == value).count();
            assert!(count * 25 > column.len(), "{department} {value}: {count}");
        }
    }
}

#[test]
fn departments_see_the_same_past() {
    let settings = settings(20_000).with_errors(ErrorLevel::Dirty);
    let others = |department: Department| -> HashMap<u32, String> {
        let moved = |record: &Record| record.errors.contains(&(Field::Mobile, Kind::Other));
        let found = records(department, &settings).into_iter().filter(moved);
        found
            .map(|record| (record.person, digits(&record.mobile)))
            .collect()
    };
    let (health, tax) = (others(Department::Health), others(Department::Tax));
    let both = health
        .iter()
        .filter_map(|(person, number)| Some((number, tax.get(person)?)));
    let (same, all) = both.fold((0, 0), |(same, all), (a, b)| {
        (same + u32::from(a == b), all + 1)
    });
    // Two made-up numbers never agree; two of one life often do.
    assert!(same * 3 > all, "{same} of {all}");
}

#[test]
fn the_rows_are_what_the_record_says() {
    let record = &records(Department::Tax, &settings(50))[0];
    let values: Vec<&str> = record.values().collect();
    assert_eq!(values.len(), Department::Tax.header().count());
    assert_eq!(values[0], record.record_id());
    assert_eq!(values[7], record.attributes[0]);
}

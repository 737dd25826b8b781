//! The data sets as users see them: bytes, rates, truth.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its shared functions included"
)]

use std::collections::{BTreeMap, HashMap, HashSet};

use linkage_generator::output::{Header, write_csv, write_errors, write_truth};
use linkage_generator::population::resident_id::{belongs_to_no_one, is_well_formed};
use linkage_generator::record::{Field, Kind};
use linkage_generator::{Department, ErrorLevel, Population, Record, Settings};

const SEED: u64 = 20_260_101;

fn settings(persons: u32) -> Settings {
    Settings::new(SEED, persons).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Asserts a count within four standard deviations of its expectation. The seed is fixed, so this
/// either passes for ever or tells of a change.
fn assert_rate(found: usize, of: usize, rate: f64, what: &str) {
    let expected = of as f64 * rate;
    let deviation = (expected * (1.0 - rate)).sqrt().max(1.0);
    let off = (found as f64 - expected).abs() / deviation;
    assert!(
        off < 4.0,
        "{what}: {found} of {of}, expected {expected:.1}, {off:.1} deviations"
    );
}

#[test]
fn bytes_are_golden() {
    let golden = [
        (
            Department::SocialSecurity,
            "796fd2f54efb74ef8110801e99e6112a88a54bee16edf0532e532c7628952740",
        ),
        (
            Department::Health,
            "f53c34f25e169cc3d64334774b90aaaad4dc824186377e046d296b754d4038f1",
        ),
        (
            Department::Credit,
            "cb72d6f2677a2c03803d4e25c795685235daa8ffca4d676bf8e29abc55c12ad2",
        ),
    ];
    for (department, expected) in golden {
        let mut csv = Vec::new();
        let dirty = settings(400).with_errors(ErrorLevel::Dirty);
        write_csv(department, &dirty, &mut csv).unwrap();
        assert_eq!(
            sha256(&csv),
            expected,
            "{department}: the data of a seed has changed"
        );
    }
}

#[test]
fn more_persons_keep_the_earlier_ones() {
    let by_id = |persons| -> HashMap<String, String> {
        let records = Department::Health.records(&settings(persons));
        records
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
        let settings = Settings::new(seed, 200).unwrap();
        Department::Health
            .records(&settings)
            .map(|r| r.name)
            .collect()
    };
    assert_ne!(names(1), names(2));
}

#[test]
fn rows_parse_and_have_equal_columns() {
    for department in Department::ALL {
        let mut bytes = Vec::new();
        let summary = write_csv(department, &settings(3_000), &mut bytes).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header = reader.headers().unwrap().clone();
        assert_eq!(
            header.iter().collect::<Vec<_>>(),
            department.header().collect::<Vec<_>>()
        );
        let mut rows = 0;
        for row in reader.records() {
            let row = row.unwrap();
            assert_eq!(row.len(), header.len());
            for (value, (_, allowed)) in row.iter().skip(7).zip(department.attributes()) {
                assert!(allowed.contains(&value), "{value}");
            }
            rows += 1;
        }
        assert_eq!(rows, summary.rows);
    }
}

#[test]
fn truth_is_complete_and_errors_are_logged() {
    let settings = settings(3_000).with_errors(ErrorLevel::Dirty);
    let (mut truth, mut errors) = (Vec::new(), Vec::new());
    for department in Department::ALL {
        let header = if truth.is_empty() {
            Header::Yes
        } else {
            Header::No
        };
        write_truth(department, &settings, header, &mut truth).unwrap();
        write_errors(department, &settings, header, &mut errors).unwrap();
    }
    let rows = |bytes: &[u8]| -> Vec<csv::StringRecord> {
        csv::Reader::from_reader(bytes)
            .records()
            .map(Result::unwrap)
            .collect()
    };
    let known: HashMap<(String, String), String> = rows(&truth)
        .iter()
        .map(|row| ((row[0].to_owned(), row[1].to_owned()), row[2].to_owned()))
        .collect();
    let mut records = 0;
    for department in Department::ALL {
        for record in department.records(&settings) {
            let key = (department.slug().to_owned(), record.record_id.clone());
            assert_eq!(known.get(&key), Some(&record.entity_id()));
            records += 1;
        }
    }
    assert_eq!(known.len(), records, "record ids repeat");
    let fields: HashSet<&str> = Department::Health.header().collect();
    let log = rows(&errors);
    assert!(log.iter().all(|row| fields.contains(&row[2])));
    assert!(
        log.iter()
            .all(|row| known.contains_key(&(row[0].to_owned(), row[1].to_owned())))
    );
}

#[test]
fn clean_fields_are_the_truth_and_logged_ones_are_not() {
    let settings = settings(4_000).with_errors(ErrorLevel::Dirty);
    let population = Population::new(&settings);
    for record in Department::Health.records(&settings) {
        let (_, person) = population.person(record.person).unwrap();
        let failed = |field| record.errors.iter().any(|error| error.0 == field);
        let name = format!("{}{}", person.surname, person.given);
        assert_eq!(
            record.name != name,
            failed(Field::Name),
            "{record:?} of {name}"
        );
        let same_id = record.id_number == person.id_number;
        assert_eq!(!same_id, failed(Field::IdNumber), "{record:?}");
    }
}

#[test]
fn every_valid_number_in_the_data_is_impossible() {
    let settings = settings(20_000).with_errors(ErrorLevel::Dirty);
    for department in Department::ALL {
        let mut owners: HashMap<String, u32> = HashMap::new();
        for record in department.records(&settings) {
            let number = &record.id_number;
            if !is_well_formed(number) {
                continue;
            }
            assert!(belongs_to_no_one(number), "{number}");
            if !record.errors.contains(&(Field::IdNumber, Kind::Relative)) {
                let owner = *owners.entry(number.clone()).or_insert(record.person);
                assert_eq!(owner, record.person, "two persons have {number}");
            }
        }
    }
}

/// How often each (field, kind) occurs.
fn tally(records: &[Record]) -> BTreeMap<(Field, Kind), usize> {
    let mut tally = BTreeMap::new();
    for error in records.iter().flat_map(|record| &record.errors) {
        *tally.entry(*error).or_default() += 1;
    }
    tally
}

#[test]
fn error_rates_follow_the_model() {
    // Name, date, sex, number missing, number wrong, mobile missing and other, address missing
    // and moved, in per cent.
    let model = [
        (
            Department::SocialSecurity,
            ErrorLevel::Routine,
            [1.0, 0.2, 0.1, 0.2, 0.2, 8.0, 10.0, 15.0, 10.0],
        ),
        (
            Department::Credit,
            ErrorLevel::Routine,
            [1.0, 0.5, 0.2, 0.5, 0.3, 5.0, 8.0, 10.0, 10.0],
        ),
        (
            Department::Health,
            ErrorLevel::Routine,
            [6.0, 2.0, 0.5, 15.0, 2.0, 10.0, 30.0, 10.0, 25.0],
        ),
        (
            Department::Health,
            ErrorLevel::Dirty,
            [20.0, 6.0, 1.0, 40.0, 5.0, 20.0, 40.0, 20.0, 35.0],
        ),
    ];
    for (department, level, rates) in model {
        let request = Settings::for_records(SEED, 20_000)
            .unwrap()
            .with_errors(level);
        let records: Vec<Record> = department.records(&request).collect();
        assert_eq!(records.len(), 20_000);
        let tally = tally(&records);
        let blank = |kind: &Kind| matches!(kind, Kind::Missing | Kind::Placeholder);
        let count = |wanted: Field, kind: &dyn Fn(&Kind) -> bool| -> usize {
            let all = tally
                .iter()
                .filter(|((field, found), _)| *field == wanted && kind(found));
            all.map(|(_, count)| count).sum()
        };
        let wrong = |kind: &Kind| {
            matches!(
                kind,
                Kind::Substituted
                    | Kind::Transposed
                    | Kind::LengthWrong
                    | Kind::LastLost
                    | Kind::OldForm
            )
        };
        let right_width = |kind: &Kind| *kind != Kind::FullWidth && *kind != Kind::Newborn;
        let found = [
            count(Field::Name, &right_width),
            count(Field::BirthDate, &right_width),
            count(Field::Sex, &right_width),
            count(Field::IdNumber, &blank),
            count(Field::IdNumber, &wrong),
            count(Field::Mobile, &blank),
            count(Field::Mobile, &|kind| *kind == Kind::Other),
            count(Field::Address, &blank),
            count(Field::Address, &|kind| *kind == Kind::Moved),
        ];
        for (index, (found, rate)) in found.into_iter().zip(rates).enumerate() {
            assert_rate(
                found,
                20_000,
                rate / 100.0,
                &format!("{department} {level:?} #{index}"),
            );
        }
    }
}

#[test]
fn every_kind_of_error_occurs() {
    let settings = settings(40_000).with_errors(ErrorLevel::Dirty);
    let records: Vec<Record> = Department::Health.records(&settings).collect();
    let seen: HashSet<Kind> = tally(&records).into_keys().map(|(_, kind)| kind).collect();
    for kind in Kind::ALL {
        assert!(seen.contains(kind), "{}", kind.slug());
    }
}

#[test]
fn name_errors_follow_the_mix() {
    let settings = settings(40_000).with_errors(ErrorLevel::Dirty);
    let records: Vec<Record> = Department::Health.records(&settings).collect();
    let tally = tally(&records);
    let of = |kind| tally.get(&(Field::Name, kind)).copied().unwrap_or_default() as f64;
    let all: f64 = tally
        .iter()
        .filter(|((f, _), _)| *f == Field::Name)
        .map(|(_, &n)| n as f64)
        .sum();
    // A third of the stated share either way: kinds that a name cannot suffer are redrawn.
    let mix = [
        (Kind::HomophoneGiven, 0.28),
        (Kind::DialectNear, 0.08),
        (Kind::Mistyped, 0.15),
        (Kind::LookAlike, 0.08),
        (Kind::Misread, 0.12),
        (Kind::Unprintable, 0.07),
        (Kind::PinyinInPlace, 0.05),
    ];
    for (kind, share) in mix {
        let found = of(kind) / all;
        assert!(
            (found / share - 1.0).abs() < 0.34,
            "{}: {found:.3}, {share}",
            kind.slug()
        );
    }
}

#[test]
fn surnames_follow_guangdong() {
    let settings = settings(60_000);
    let population = Population::new(&settings);
    // Families share a surname: count one person per household.
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut households = 0;
    for index in 0..population.persons() {
        let (_, person) = population.person(index).unwrap();
        if person.place == 0 {
            households += 1;
            *counts.entry(person.surname).or_default() += 1;
        }
    }
    let shares = [
        ("陈", 8.6),
        ("李", 6.4),
        ("黄", 5.5),
        ("张", 4.8),
        ("刘", 4.1),
        ("林", 3.2),
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
        department
            .records(&settings)
            .map(|record| record.person)
            .collect()
    };
    let covered = Department::ALL.map(persons);
    for (index, one) in covered.iter().enumerate() {
        for other in &covered[index + 1..] {
            let both = one.intersection(other).count();
            assert!(both * 10 > one.len().max(other.len()) * 4, "{both}");
        }
    }
    let mut eligible = [0; 3];
    for index in 0..population.persons() {
        let (_, person) = population.person(index).unwrap();
        eligible[0] += usize::from((16..=75).contains(&person.age()));
        eligible[1] += 1;
        eligible[2] += usize::from(person.age() >= 18);
    }
    for ((found, eligible), share) in covered.iter().zip(eligible).zip([0.80, 0.70, 0.75]) {
        assert_rate(found.len(), eligible, share, "coverage");
    }
}

#[test]
fn duplicates_are_copies_of_one_person() {
    let settings = settings(30_000);
    for department in Department::ALL {
        let mut copies: HashMap<u32, Vec<Record>> = HashMap::new();
        for record in department.records(&settings) {
            copies.entry(record.person).or_default().push(record);
        }
        let twice: Vec<&Vec<Record>> = copies.values().filter(|c| c.len() > 1).collect();
        assert_rate(twice.len(), copies.len(), 0.015, "duplicates");
        for pair in twice {
            assert_eq!(pair.len(), 2);
            assert_ne!(pair[0].record_id, pair[1].record_id);
            assert_eq!(pair[0].attributes, pair[1].attributes);
        }
    }
}

#[test]
fn every_department_reaches_the_target() {
    for (seed, records) in [(1, 100), (2, 1_000), (3, 10_000), (4, 50_000)] {
        let settings = Settings::for_records(seed, records).unwrap();
        for department in Department::ALL {
            assert_eq!(
                department.records(&settings).count() as u64,
                records,
                "{department}"
            );
        }
    }
}

#[test]
fn row_order_does_not_align_departments() {
    let settings = settings(5_000);
    let order = |department: Department| -> Vec<u32> {
        department
            .records(&settings)
            .map(|record| record.person)
            .collect()
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
        department
            .records(&settings)
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

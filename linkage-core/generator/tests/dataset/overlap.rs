//! Data sets for measuring quality: sizes and overlap are exact.

use std::collections::{HashMap, HashSet};

use linkage_generator::output::{Dataset, Row};
use linkage_generator::{Department, ErrorLevel, Population, Settings, enterprise};

use super::records;

fn entities(dataset: &impl Dataset) -> HashSet<String> {
    let mut seen = HashSet::new();
    for row in dataset.rows() {
        assert!(seen.insert(row.entity_id()), "{} twice", row.entity_id());
    }
    seen
}

fn check(datasets: &[HashSet<String>], rows: usize, common: usize) {
    let mut counts: HashMap<&String, usize> = HashMap::new();
    for dataset in datasets {
        assert_eq!(dataset.len(), rows);
        for entity in dataset {
            *counts.entry(entity).or_default() += 1;
        }
    }
    let everywhere = counts.values().filter(|&&count| count == datasets.len());
    assert_eq!(everywhere.count(), common);
    let once = counts.values().filter(|&&count| count == 1).count();
    assert_eq!(once, datasets.len() * (rows - common));
}

#[test]
fn sizes_and_overlap_are_exact() {
    for (rows, common) in [(4_000, 3_000), (1_000, 0), (500, 500), (1, 1)] {
        let settings = Settings::overlap(3, rows, common).unwrap();
        let settings = settings.with_errors(ErrorLevel::Dirty);
        let persons = Department::ALL.map(|d| entities(&d.records(&settings).unwrap()));
        let firms = enterprise::Department::ALL.map(|d| entities(&d.records(&settings).unwrap()));
        if common < rows {
            check(&persons, rows as usize, common as usize);
            check(&firms, rows as usize, common as usize);
        } else {
            assert!(persons.iter().all(|one| *one == persons[0]));
            assert!(firms.iter().all(|one| *one == firms[0]));
        }
    }
}

#[test]
fn the_quality_tests_sets_are_as_large_as_they_say() {
    let settings = Settings::overlap(4, 20_000, 15_000).unwrap();
    let sides = [Department::SocialSecurity, Department::Health];
    check(
        &sides.map(|d| entities(&d.records(&settings).unwrap())),
        20_000,
        15_000,
    );
    let sides = [enterprise::Department::Market, enterprise::Department::Tax];
    check(
        &sides.map(|d| entities(&d.records(&settings).unwrap())),
        20_000,
        15_000,
    );
}

#[test]
fn the_level_changes_errors_not_people() {
    let routine = Settings::overlap(5, 3_000, 2_000).unwrap();
    let dirty = routine.clone().with_errors(ErrorLevel::Dirty);
    let people = |settings: &Settings| -> Vec<u32> {
        let records = records(Department::Health, settings);
        records.iter().map(|record| record.person).collect()
    };
    assert_eq!(people(&routine), people(&dirty));
    // Social security is well kept in either.
    let text = |settings| format!("{:?}", records(Department::SocialSecurity, settings));
    assert_eq!(text(&routine), text(&dirty));
}

#[test]
fn everyone_is_old_enough_for_every_department() {
    let settings = Settings::overlap(6, 5_000, 2_500).unwrap();
    let population = Population::new(&settings);
    for record in records(Department::Health, &settings) {
        let age = population.person(record.person).unwrap().age();
        assert!((18..=75).contains(&age), "{age}");
    }
}

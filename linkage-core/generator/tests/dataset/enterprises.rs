//! Departments' records of enterprises.

use std::collections::{BTreeMap, HashMap, HashSet};

use linkage_generator::enterprise::codes::{
    is_credit_code, is_organisation_code, is_registration_number,
};
use linkage_generator::enterprise::record::Record;
use linkage_generator::enterprise::{Department, Register};
use linkage_generator::errors::{Field, Kind};
use linkage_generator::output::Dataset as _;
use linkage_generator::{ErrorLevel, Settings};

use super::{SEED, assert_rate, settings};

fn records(department: Department, settings: &Settings) -> Vec<Record> {
    department.records(settings).unwrap().rows().collect()
}

fn tally(records: &[Record]) -> BTreeMap<(Field, Kind), usize> {
    let mut tally = BTreeMap::new();
    for error in records.iter().flat_map(|record| &record.errors) {
        *tally.entry(*error).or_default() += 1;
    }
    tally
}

/// Every kind of error that occurs.
pub fn kinds() -> HashSet<Kind> {
    let settings = settings(20_000).with_errors(ErrorLevel::Dirty);
    let tally = tally(&records(Department::SocialSecurity, &settings));
    tally.into_keys().map(|(_, kind)| kind).collect()
}

#[test]
fn every_department_reaches_the_target() {
    for (seed, count) in [(1, 100), (2, 3_000), (3, 20_000)] {
        for settings in [
            Settings::for_records(seed, count).unwrap(),
            Settings::for_records(seed, count)
                .unwrap()
                .without_individual_businesses()
                .without_duplicates(),
        ] {
            for department in Department::ALL {
                let found = records(department, &settings).len() as u64;
                assert_eq!(found, count, "{department}");
            }
        }
    }
}

#[test]
fn clean_fields_are_the_truth_and_logged_ones_are_not() {
    let settings = settings(8_000).with_errors(ErrorLevel::Dirty);
    let register = Register::new(&settings);
    for department in Department::ALL {
        for record in records(department, &settings) {
            let truth = register.enterprise(record.enterprise).unwrap();
            let failed = |field| record.errors.iter().any(|error| error.0 == field);
            let (surname, given) = &truth.representative;
            let differs = [
                (Field::CompanyName, record.company_name != truth.name.text()),
                (Field::Uscc, record.uscc != truth.uscc),
                (
                    Field::LegalRepresentative,
                    record.legal_representative != format!("{surname}{given}"),
                ),
                (Field::Phone, record.phone != truth.phone),
            ];
            for (field, differs) in differs {
                assert_eq!(differs, failed(field), "{field:?} {record:?} of {truth:?}");
            }
        }
    }
}

#[test]
fn every_check_character_is_right_or_logged() {
    let settings = settings(20_000).with_errors(ErrorLevel::Dirty);
    for department in Department::ALL {
        let mut owners: HashMap<String, u32> = HashMap::new();
        for record in records(department, &settings) {
            // Zeros stand for no code, though their check character is right.
            if record.errors.contains(&(Field::Uscc, Kind::Placeholder)) {
                continue;
            }
            let failed = record.errors.iter().any(|error| error.0 == Field::Uscc);
            assert_eq!(is_credit_code(&record.uscc), !failed, "{record:?}");
            assert!(record.org_code.is_empty() || is_organisation_code(&record.org_code));
            let number = &record.registration_number;
            let own = record.errors.contains(&(Field::Uscc, Kind::OwnNumber));
            assert!(
                number.is_empty() || own || is_registration_number(number),
                "{number}"
            );
            if !failed {
                let owner = *owners.entry(record.uscc).or_insert(record.enterprise);
                assert_eq!(owner, record.enterprise);
            }
        }
    }
}

#[test]
fn departments_hold_the_codes_that_they_should() {
    // Credit code, organisation code only, own number only, in per cent.
    let model = [
        (Department::Market, [100.0, 0.0, 0.0]),
        (Department::Tax, [100.0, 0.0, 0.0]),
        (Department::SocialSecurity, [85.0, 10.0, 5.0]),
        (Department::Credit, [95.0, 3.0, 2.0]),
        (Department::Customs, [70.0, 20.0, 10.0]),
    ];
    for (department, shares) in model {
        let settings = Settings::for_records(SEED, 10_000)
            .unwrap()
            .without_duplicates();
        let tally = tally(&records(department, &settings));
        let of = |kind| tally.get(&(Field::Uscc, kind)).copied().unwrap_or_default();
        let (old, own) = (of(Kind::OldCode), of(Kind::OwnNumber));
        assert_rate(
            10_000 - old - own,
            10_000,
            shares[0] / 100.0,
            department.slug(),
        );
        assert_rate(old, 10_000, shares[1] / 100.0, department.slug());
        assert_rate(own, 10_000, shares[2] / 100.0, department.slug());
    }
}

#[test]
fn altered_names_follow_the_mix() {
    let settings = Settings::overlap(SEED, 40_000, 0).unwrap();
    let dirty = settings.clone().with_errors(ErrorLevel::Dirty);
    let records_of = records(Department::Tax, &dirty);
    let counts = tally(&records_of);
    let names = |record: &&Record| record.errors.iter().any(|e| e.0 == Field::CompanyName);
    assert_rate(
        records_of.iter().filter(names).count(),
        40_000,
        0.30,
        "altered names",
    );
    let of = |kind| {
        counts
            .get(&(Field::CompanyName, kind))
            .copied()
            .unwrap_or_default() as f64
    };
    let all: f64 = Kind::ALL.iter().map(|kind| of(*kind)).sum();
    let mix = [
        (Kind::RegionForm, 0.16),
        (Kind::RegionDropped, 0.10),
        (Kind::FormChanged, 0.10),
        (Kind::Abbreviated, 0.16),
        (Kind::RegionBracketed, 0.08),
        (Kind::BrandHomophone, 0.14),
        (Kind::BrandLookAlike, 0.08),
        (Kind::TradeVaried, 0.06),
        (Kind::Renamed, 0.05),
        (Kind::Traditional, 0.03),
        (Kind::CharacterLost, 0.04),
    ];
    for (kind, share) in mix {
        let found = of(kind) / all;
        // Kinds that a name cannot suffer are drawn again.
        assert!(
            (found / share - 1.0).abs() < 0.30,
            "{}: {found:.3}",
            kind.slug()
        );
    }
    // Market regulation writes names as they are, or nearly so.
    let market = records(Department::Market, &dirty);
    let altered = market.iter().filter(names).count();
    assert!(altered < 1_000, "{altered}");
}

#[test]
fn without_errors_everything_is_the_truth() {
    let settings = settings(2_000).with_errors(ErrorLevel::None);
    let register = Register::new(&settings);
    for department in Department::ALL {
        for record in records(department, &settings) {
            assert!(record.errors.is_empty());
            let truth = register.enterprise(record.enterprise).unwrap();
            assert_eq!(record.company_name, truth.name.text());
            assert_eq!(record.uscc, truth.uscc);
        }
    }
}

#[test]
fn a_department_does_not_depend_on_the_others() {
    // Each is computed from its own settings alone; what a smaller request gives is part of what a
    // larger gives.
    let few: HashMap<String, String> = records(Department::Tax, &settings(1_000))
        .iter()
        .map(|record| (record.record_id.clone(), format!("{record:?}")))
        .collect();
    let many: HashMap<String, String> = records(Department::Tax, &settings(4_000))
        .iter()
        .map(|record| (record.record_id.clone(), format!("{record:?}")))
        .collect();
    assert!(many.len() > few.len());
    assert!(few.iter().all(|(id, record)| many.get(id) == Some(record)));
}

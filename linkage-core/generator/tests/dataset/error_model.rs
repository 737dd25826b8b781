//! How often, and how, departments' records of persons go wrong.

use std::collections::{BTreeMap, HashSet};

use linkage_generator::errors::{Field, Kind};
use linkage_generator::{Department, ErrorLevel, Record, Settings};

use super::{SEED, assert_rate, records, settings};

/// Kinds that leave a name or number right, or are the person's own doing.
const NOT_WRONG: [Kind; 6] = [
    Kind::FullWidth,
    Kind::SharedNumber,
    Kind::FormerNumber,
    Kind::OtherDocument,
    Kind::Romanised,
    Kind::Renamed,
];

/// How often each (field, kind) occurs.
fn tally(records: &[Record]) -> BTreeMap<(Field, Kind), usize> {
    let mut tally = BTreeMap::new();
    for error in records.iter().flat_map(|record| &record.errors) {
        *tally.entry(*error).or_default() += 1;
    }
    tally
}

/// Name, date, sex, number missing, number wrong, mobile missing and other, address missing
/// and moved, in per cent.
const MODEL: [(Department, ErrorLevel, [f64; 9]); 7] = [
    (
        Department::Tax,
        ErrorLevel::Dirty,
        [1.5, 0.0, 0.0, 1.0, 0.5, 15.0, 20.0, 20.0, 15.0],
    ),
    (
        Department::Market,
        ErrorLevel::Routine,
        [1.5, 0.0, 0.0, 1.0, 0.5, 15.0, 20.0, 20.0, 15.0],
    ),
    (Department::Credit, ErrorLevel::None, [0.0; 9]),
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

#[test]
fn error_rates_follow_the_model() {
    for (department, level, rates) in MODEL {
        let request = Settings::for_records(SEED, 20_000)
            .unwrap()
            .with_errors(level);
        let records = records(department, &request);
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
                Kind::Substituted | Kind::Transposed | Kind::LengthWrong | Kind::LastLost
            )
        };
        let other = [Kind::Newborn, Kind::Interpunct];
        let right_width = |kind: &Kind| !NOT_WRONG.contains(kind) && !other.contains(kind);
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
        for (index, (found, mut rate)) in found.into_iter().zip(rates).enumerate() {
            if index == 4 {
                // The old form is one in ten errors of numbers, and not counted here, because
                // some people are known by it everywhere.
                rate *= 0.9;
            }
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
    let settings = settings.with_oversample(10).unwrap();
    let mut seen: HashSet<Kind> = HashSet::new();
    for department in [Department::Health, Department::Credit] {
        let tally = tally(&records(department, &settings));
        seen.extend(tally.into_keys().map(|(_, kind)| kind));
    }
    seen.extend(super::enterprises::kinds());
    for kind in Kind::ALL {
        assert!(seen.contains(kind), "{}", kind.slug());
    }
}

#[test]
fn name_errors_follow_the_mix() {
    let settings = settings(40_000).with_errors(ErrorLevel::Dirty);
    let tally = tally(&records(Department::Health, &settings));
    let of = |kind| tally.get(&(Field::Name, kind)).copied().unwrap_or_default() as f64;
    let all: f64 = tally
        .iter()
        .filter(|((f, kind), _)| *f == Field::Name && !NOT_WRONG.contains(kind))
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
fn errors_of_dates_and_numbers_follow_the_mix() {
    let settings = settings(60_000).with_errors(ErrorLevel::Dirty);
    let tally = tally(&records(Department::Health, &settings));
    let of = |field, kind| tally.get(&(field, kind)).copied().unwrap_or_default();
    let dates = [
        (Kind::DigitWrong, 0.35),
        (Kind::DayMonthSwapped, 0.15),
        (Kind::LunarDate, 0.20),
        (Kind::YearOff, 0.15),
        (Kind::FirstOfJanuary, 0.10),
    ];
    let numbers = [
        (Kind::Substituted, 0.39),
        (Kind::Transposed, 0.20),
        (Kind::LengthWrong, 0.19),
        (Kind::LastLost, 0.22),
    ];
    for (field, mix) in [(Field::BirthDate, &dates[..]), (Field::IdNumber, &numbers)] {
        let all: usize = mix.iter().map(|(kind, _)| of(field, *kind)).sum();
        let shares: f64 = mix.iter().map(|(_, share)| share).sum();
        for (kind, share) in mix {
            let found = of(field, *kind) as f64 / all as f64 * shares;
            // Kinds that a value cannot suffer are redrawn: day 13 and later cannot be a month.
            let wide = *kind == Kind::DayMonthSwapped;
            let margin = if wide { 0.7 } else { 0.34 };
            assert!(
                (found / share - 1.0).abs() < margin,
                "{}: {found:.3}",
                kind.slug()
            );
        }
    }
}

use proptest::prelude::*;

use super::super::text;
use super::*;
use crate::normalise::tests::twice;
use crate::schema::Schema;

const TODAY: Day = Day {
    year: 2026,
    month: 3,
    day: 2,
};

fn field(settings: &str) -> Field {
    let schema = Schema::parse(&format!(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [[field]]
        name = "born"
        kind = "date"
        {settings}
        feature = [{{ kind = "date-components", bits = 10 }}]
        "#
    ));
    schema.unwrap().fields.remove(0)
}

fn read(raw: &str, settings: &str) -> (Option<String>, FieldState) {
    let (value, state) = parse(&text::clean(raw), &field(settings), TODAY);
    (value.map(|value| value.whole().to_owned()), state)
}

#[test]
fn every_usual_spelling() {
    for spelling in [
        "20010203",
        "2001-2-3",
        "2001/02/03",
        "2001.2.3",
        "2001年2月3日",
        "2001 年 2 月 3 日",
        "2001 2 3",
        "2001-02-03 00:00:00",
        "2001-02-03T10:00:00+08:00",
        "20010203080000",
        "20010203.0",
        "２００１-02-03",
        "二〇〇一年二月三日",
        "二零零一年二月三号",
        "36925",
        "36925.0",
        "36925.75",
        "981129600000",
        "981158400000",
        "公历2001年2月3日",
        "农历二〇〇一年正月十一",
    ] {
        let (value, state) = read(spelling, "");
        assert_eq!(value.as_deref(), Some("20010203"), "{spelling}");
        assert_eq!(state, FieldState::Valid);
    }
}

#[test]
fn what_is_no_day_says_why() {
    for (raw, state) in [
        ("2001-13-01", FieldState::Invalid(Finding::BadDate)),
        ("01-02-2001", FieldState::Invalid(Finding::BadDate)),
        ("20010230", FieldState::Invalid(Finding::BadDate)),
        ("1900-02-29", FieldState::Invalid(Finding::BadDate)),
        ("abc", FieldState::Invalid(Finding::BadDate)),
        ("2001--3", FieldState::Invalid(Finding::BadDate)),
        ("2001-2-3x", FieldState::Invalid(Finding::BadDate)),
        ("20260303", FieldState::Invalid(Finding::BadDate)),
        ("850307", FieldState::Invalid(Finding::BadDate)),
        ("85-3-7", FieldState::Invalid(Finding::BadDate)),
        ("60", FieldState::Invalid(Finding::BadDate)),
        ("60001", FieldState::Invalid(Finding::BadDate)),
        ("13812345679", FieldState::Invalid(Finding::BadDate)),
        ("2001", FieldState::Invalid(Finding::YearOnly)),
        ("2001年", FieldState::Invalid(Finding::YearOnly)),
        ("2001年2月", FieldState::Invalid(Finding::YearOnly)),
        ("2001-02", FieldState::Invalid(Finding::YearOnly)),
        ("20010000", FieldState::Invalid(Finding::YearOnly)),
        ("2001-00-00", FieldState::Invalid(Finding::YearOnly)),
        ("1900-01-01", FieldState::Placeholder),
        ("1", FieldState::Placeholder),
        ("1899-12-30", FieldState::Placeholder),
        ("1970-01-01", FieldState::Placeholder),
        ("9999-12-31", FieldState::Placeholder),
        ("0001-01-01", FieldState::Placeholder),
        ("1800-05-05", FieldState::Placeholder),
        ("1911-11-11", FieldState::Placeholder),
        ("2026-03-02", FieldState::Placeholder),
    ] {
        assert_eq!(read(raw, ""), (None, state), "{raw}");
    }
}

#[test]
fn two_digit_years_need_a_century() {
    for (raw, whole) in [
        ("850307", "19850307"),
        ("85-3-7", "19850307"),
        ("八五年三月七日", "19850307"),
        ("25/3/7", "20250307"),
        ("27.3.7", "19270307"),
    ] {
        let (value, _) = read(raw, "two_digit_years_to = 2026");
        assert_eq!(value.as_deref(), Some(whole), "{raw}");
    }
}

#[test]
fn lunisolar_sources_are_converted() {
    let settings = "calendar = \"lunisolar\"";
    for (raw, whole) in [
        ("1985-08-15", "19850929"),
        ("1985年八月十五", "19850929"),
        ("1984年闰十月十五", "19841207"),
        ("一九八五年腊月廿九", "19860207"),
        ("公历1985-08-15", "19850815"),
    ] {
        let (value, _) = read(raw, settings);
        assert_eq!(value.as_deref(), Some(whole), "{raw}");
    }
    let bad = FieldState::Invalid(Finding::BadDate);
    assert_eq!(read("1985年闰八月十五", settings), (None, bad));
    assert_eq!(read("1985年闰八月十五", ""), (None, bad));
}

#[test]
fn a_stored_day_is_the_same_in_every_time_zone_it_was_stored_in() {
    // 1988-06-15 in UTC, in China's summer time, in standard time; 1960 before the epoch.
    for raw in ["582336000000", "582303600000", "582307200000"] {
        assert_eq!(read(raw, "").0.as_deref(), Some("19880615"), "{raw}");
    }
    assert_eq!(read("-300787200000", "").0.as_deref(), Some("19600621"));
}

#[test]
fn every_day_is_read_as_jiff_has_it() {
    let mut date = jiff::civil::date(1851, 1, 1);
    let field = field("");
    while date < jiff::civil::date(2026, 3, 2) {
        let spelled = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
        let (value, state) = parse(&spelled, &field, TODAY);
        match state {
            FieldState::Valid => assert_eq!(value.unwrap().whole(), spelled),
            state => assert!(state == FieldState::Placeholder, "{spelled}"),
        }
        date = date.tomorrow().unwrap();
    }
}

proptest! {
    #[test]
    fn a_canonical_date_stays_as_it_is(raw in "[0-9年月日一二十廿初./ t:-]{1,12}|\\PC{0,14}") {
        let field = field("two_digit_years_to = 2026");
        if let Some([_, (_, state)]) = twice(|clean| parse(clean, &field, TODAY), &raw)? {
            prop_assert_eq!(state, FieldState::Valid);
        }
    }
}

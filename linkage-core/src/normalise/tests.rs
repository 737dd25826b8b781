use proptest::prelude::*;

use super::*;

const TODAY: crate::record::Day = crate::record::Day {
    year: 2026,
    month: 1,
    day: 1,
};

fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        placeholders = ["保密"]
        [[field]]
        name = "name"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 10 }]
        [[field]]
        name = "born"
        kind = "date"
        [[field]]
        name = "sex"
        kind = "code"
        map = { "男" = "1", "M" = "1", "女" = "2" }
        [[field]]
        name = "mobile"
        kind = "digits"
        [[field]]
        name = "address"
        kind = "text"
        "#,
    )
    .unwrap()
}

fn normal(values: [&str; 5]) -> Vec<(String, FieldState)> {
    let schema = schema();
    let raw = RawRecord {
        id: Zeroizing::new("1".into()),
        values: values
            .iter()
            .map(|v| Zeroizing::new((*v).to_owned()))
            .collect(),
    };
    let record = Normaliser::new(&schema, TODAY).record(&raw);
    record
        .values
        .iter()
        .map(|(value, state)| {
            (
                value
                    .as_ref()
                    .map(|v| v.whole().to_owned())
                    .unwrap_or_default(),
                *state,
            )
        })
        .collect()
}

#[test]
fn folds_what_departments_write_differently() {
    let a = normal([
        " 张　三 ",
        "1985-03-07",
        "男",
        "１３８-1234 5679",
        "Ａ座  3楼",
    ]);
    let b = normal(["张三", "1985年3月7日", "m", "13812345679", "a座 3楼"]);
    assert_eq!(a, b);
    assert_eq!(a[1].0, "19850307");
    assert_eq!(a[2].0, "1");
    assert_eq!(
        normal(["O'Brien-Smith", "", "", "", ""])[0].0,
        "obrien smith"
    );
}

#[test]
fn says_why_a_field_is_empty() {
    let states: Vec<_> = normal(["不详", "1900-01-01", " ", "00000000000", "保密"])
        .iter()
        .map(|v| v.1)
        .collect();
    use FieldState::{Invalid, Missing, Placeholder};
    assert_eq!(
        states,
        [Placeholder, Placeholder, Missing, Placeholder, Placeholder]
    );
    let states: Vec<_> = normal(["!!", "1985-02-30", "男", "none", "x"])
        .iter()
        .map(|v| v.1)
        .collect();
    assert_eq!(
        states,
        [
            Invalid(Finding::BadCharacters),
            Invalid(Finding::BadDate),
            FieldState::Valid,
            Placeholder,
            Placeholder
        ]
    );
}

/// Persons of a register: name, date, sex, document, telephone; the date and sex from the document.
fn register() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [[field]]
        name = "name"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 10 }]
        [[field]]
        name = "born"
        kind = "date"
        from = "number"
        [[field]]
        name = "sex"
        kind = "sex"
        from = "number"
        map = { "0" = "2" }
        [[field]]
        name = "number"
        kind = "document"
        [[field]]
        name = "mobile"
        kind = "phone"
        "#,
    )
    .unwrap()
}

fn registered(values: [&str; 5]) -> Vec<(String, FieldState)> {
    let schema = register();
    let normaliser = Normaliser::new(&schema, TODAY);
    let record = normaliser.record(&raw(values.map(str::to_owned)));
    let fields = record.values.iter();
    fields
        .map(|(value, state)| (value.as_ref().map_or("", |v| v.whole()).to_owned(), *state))
        .collect()
}

fn raw(values: [String; 5]) -> RawRecord {
    RawRecord {
        id: Zeroizing::new("1".into()),
        values: values.map(Zeroizing::new).into(),
    }
}

#[test]
fn a_resident_number_supplies_date_and_sex() {
    use FieldState::{Conflict, Missing, Repaired, Valid};
    let number = "11010519491231002X";
    let read = |born, sex| {
        let record = registered(["", born, sex, number, ""]);
        [record[1].clone(), record[2].clone()]
    };
    let (born, sex) = ("19491231".to_owned(), "2".to_owned());
    let taken = Repaired(Finding::TakenFromNumber);
    assert_eq!(read("", "9"), [(born.clone(), taken), (sex.clone(), taken)]);
    assert_eq!(read("1900-01-01", "?")[0], (born.clone(), taken));
    assert_eq!(read("1949-12-31", "0"), [(born, Valid), (sex, Valid)]);
    assert_eq!(
        read("1949-12-13", "男"),
        [
            (
                "19491213".to_owned(),
                Conflict(Finding::DateDiffersFromNumber)
            ),
            ("1".to_owned(), Conflict(Finding::SexDiffersFromNumber)),
        ]
    );
    // A number with a wrong check says nothing.
    let record = registered(["", "", "男", "110105194912310021", ""]);
    assert_eq!((record[1].1, record[2].1), (Missing, Valid));
}

#[test]
fn a_telephone_number_or_name_is_no_document() {
    let record = registered(["Abc12345", "", "", "ABC12345", ""]);
    assert_eq!(record[3].1, FieldState::Placeholder);
    let record = registered(["", "", "", "+85291234567", "85291234567"]);
    assert_eq!(record[3].0, "");
}

/// Prints the time per record of 100 000 distinct ones. Only a release build's says anything:
/// `cargo test --release -p linkage-core --lib normalise::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "measures time"]
fn speed() {
    let schema = register();
    let normaliser = Normaliser::new(&schema, TODAY);
    let surnames: Vec<char> = "陈李黄张刘林王吴梁杨何周郑罗曾叶谢邓蔡肖".chars().collect();
    let given: Vec<char> = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂文辉玲健华红建"
        .chars()
        .collect();
    let records: Vec<RawRecord> = (0..100_000_usize)
        .map(|i| {
            let name = [surnames[i % 20], given[i / 20 % 30], given[i / 600 % 30]];
            let (year, month, day) = (1950 + i % 60, 1 + i / 60 % 12, 1 + i / 720 % 28);
            let body = format!("440106{year}{month:02}{day:02}{:03}", i % 1000);
            let number = "0123456789X"
                .chars()
                .map(|check| format!("{body}{check}"))
                .find(|number| {
                    document::parse(&text::clean(number), TODAY, Components::ALL)
                        .0
                        .is_some()
                });
            raw([
                name.iter().collect(),
                format!("{year}-{month:02}-{day:02}"),
                ["女", "男"][i % 2].to_owned(),
                number.unwrap(),
                format!("13{:09}", 123_456_789 + i * 7919 % 800_000_000),
            ])
        })
        .collect();
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let fields = records
            .iter()
            .map(|raw| normaliser.record(raw))
            .map(|record| record.states().filter(|s| *s == FieldState::Valid).count())
            .sum::<usize>();
        let each = start.elapsed().as_nanos() / 100_000;
        println!("{each} ns per record, {fields} valid fields");
    }
    for (index, field) in schema.fields.iter().enumerate() {
        let start = std::time::Instant::now();
        for raw in &records {
            let replacements = &normaliser.replacements[index];
            std::hint::black_box(normaliser.value(
                field,
                replacements,
                normaliser.components[index],
                &raw.values[index],
            ));
        }
        println!(
            "{}: {} ns",
            field.name,
            start.elapsed().as_nanos() / 100_000
        );
    }
}

#[test]
fn counts_hold_no_values() {
    let schema = schema();
    let normaliser = Normaliser::new(&schema, TODAY);
    let mut quality = DataQuality::new(&schema);
    let raw = RawRecord {
        id: Zeroizing::new("1".into()),
        values: vec![Zeroizing::new("王小明".into()), Zeroizing::new("x1".into())],
    };
    quality.add(normaliser.record(&raw).states());
    let counts = |name: &str| {
        quality
            .fields()
            .find(|(field, _)| *field == name)
            .unwrap()
            .1
    };
    assert_eq!(counts("name").valid, 1);
    assert_eq!(counts("born").invalid, 1);
    assert_eq!(counts("mobile").missing, 1);
    assert!(!serde_json::to_string(&quality).unwrap().contains('王'));
}

/// A value and its state.
pub(super) type Read = (NormalValue, FieldState);

/// Reads a text, and the canonical value that comes of it, if one does, which must be itself.
pub(super) fn twice(
    parse: impl Fn(&str) -> Parsed,
    raw: &str,
) -> Result<Option<[Read; 2]>, TestCaseError> {
    let (Some(value), state) = parse(&text::clean(raw)) else {
        return Ok(None);
    };
    let (Some(again), state_again) = parse(&text::clean(value.whole())) else {
        return Err(TestCaseError::fail("a canonical value is unusable"));
    };
    prop_assert_eq!(again.whole(), value.whole());
    Ok(Some([(value, state), (again, state_again)]))
}

/// [`twice`] for values whose canonical form has all their parts.
pub(super) fn parts_twice(parse: impl Fn(&str) -> Parsed, raw: &str) -> Result<(), TestCaseError> {
    if let Some([(value, _), (again, _)]) = twice(parse, raw)? {
        prop_assert!(again.components().eq(value.components()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_rule_is_idempotent(value in "\\PC{0,24}") {
        let once = text::clean(&value);
        prop_assert_eq!(&*text::clean(&once), &*once);
        let digits = text::digits(&once);
        prop_assert_eq!(&*text::digits(&digits), &*digits);
    }

    #[test]
    fn no_value_panics(value in any::<String>()) {
        normal([&value, &value, &value, &value, &value]);
        registered([&value, &value, &value, &value, &value]);
    }
}

use std::fmt::Write as _;

use super::*;

const SCHEMA: &str = r#"
version = 1
entity = "persons"
id_column = "id"
[token]
profile = "plain-clk"
[[field]]
name = "name"
kind = "name"
feature = [{ kind = "q-gram", q = 1, bits = 80 }]
[[field]]
name = "born"
kind = "date"
feature = [{ kind = "date-components", bits = 80 }, { kind = "q-gram", q = 2, bits = 80 }]
[[field]]
name = "mobile"
kind = "phone"
[[field]]
name = "number"
kind = "document"
[[field]]
name = "sex"
kind = "sex"
map = { "m" = "1", "f" = "2" }
[[field]]
name = "empty"
kind = "text"
[[link_key]]
name = "name+born"
parts = [{ field = "name" }, { field = "born" }]
[[link_key]]
name = "nothing"
parts = [{ field = "empty" }]
[[block_key]]
name = "year"
parts = [{ field = "born", take = "year" }]
"#;

/// A number with its check character.
fn number(n: usize) -> String {
    let body = format!(
        "440106{}{:02}{:02}{:03}",
        1950 + n % 50,
        n % 12 + 1,
        n % 28 + 1,
        n % 1000
    );
    let sum = body
        .bytes()
        .fold(0_u32, |sum, c| (sum * 2 + u32::from(c - b'0')) % 11);
    let check = (12 - sum * 2 % 11) % 11;
    format!(
        "{body}{}",
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "X"][check as usize]
    )
}

fn run(rows: usize, row: impl Fn(usize) -> String) -> Check {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.csv");
    let mut content = "id,name,born,mobile,number,sex,empty\n".to_owned();
    for n in 0..rows {
        writeln!(content, "{n},{}", row(n)).unwrap();
    }
    std::fs::write(&path, content).unwrap();
    let schema = Schema::parse(SCHEMA).unwrap();
    check(&path.as_path().into(), &schema, &mut |_, _| {}).unwrap()
}

fn plain(n: usize, sex: &str) -> String {
    let surname = ["王", "李", "张", "刘"][n % 4];
    let given = |n: usize| char::from_u32(0x4e00 + n as u32).unwrap();
    let born = format!("{}-{:02}-{:02}", 1950 + n % 50, n % 12 + 1, n % 27 + 2);
    let (a, b) = (given(n % 1999), given(n / 1999 + 700));
    format!(
        "{surname}{a}{b},{born},139{:08},{},{sex},",
        n * 7919 + 4321,
        number(n)
    )
}

fn right_sex(n: usize) -> &'static str {
    if number(n).as_bytes()[16] % 2 == 1 {
        "m"
    } else {
        "f"
    }
}

#[test]
fn a_plausible_source_gives_no_concern_but_the_key_that_nobody_has() {
    let check = run(3000, |n| plain(n, right_sex(n)));
    assert_eq!(check.rows, 3000);
    let expected = Concern::NoKey {
        rule: "nothing".into(),
    };
    assert_eq!(check.concerns, [expected]);
    let field = |name: &str| check.fields.iter().find(|f| f.name == name).unwrap();
    assert_eq!(field("name").scripts, BTreeMap::from([(Script::Han, 3000)]));
    assert_eq!(field("empty").counts.missing, 3000);
    assert_eq!(field("mobile").values, 3000);
    assert_eq!(check.link_keys[0].records, 3000);
    assert_eq!(check.block_keys[0].records, 3000);
    assert_eq!(check.link_keys[0].repeats.unwrap().repeated_records, 0);
    let sex = field("sex").sex.unwrap();
    assert_eq!((sex.compared, sex.agreeing), (3000, 3000));
}

#[test]
fn defaults_swapped_sexes_shared_numbers_and_repeats_are_found() {
    let check = run(3000, |n| {
        let sex = if right_sex(n) == "m" { "f" } else { "m" };
        match n {
            0..40 => "林测样,1980-01-01,13987602468,,f,".to_owned(),
            40..80 => "short".to_owned(),
            _ => plain(n, sex),
        }
    });
    let has = |concern: &Concern| check.concerns.contains(concern);
    assert!(
        has(&Concern::SexMap {
            field: "sex".into()
        }),
        "{:?}",
        check.concerns
    );
    assert!(
        has(&Concern::NewYear {
            field: "born".into()
        }),
        "{:?}",
        check.concerns
    );
    let phones = check.fields[2].shared_numbers.unwrap();
    assert_eq!((phones.repeated_values, phones.repeated_records), (1, 40));
    assert_eq!(check.link_keys[0].repeats.unwrap().repeated_records, 40);
    assert_eq!(check.rejected.get("ragged-row"), Some(&40));
    let shown = serde_json::to_string(&check).unwrap();
    assert!(!shown.contains("林测样") && !shown.contains("13987602468"));
}

#[test]
fn a_value_far_more_frequent_than_all_others_is_counted() {
    let check = run(9000, |n| {
        let row = plain(n, right_sex(n));
        match n % 3 {
            0 => row.replacen(row.split(',').next().unwrap(), "林测样", 1),
            _ => row,
        }
    });
    let name = &check.fields[0];
    assert_eq!(
        name.frequent,
        Frequency {
            values: 1,
            records: 3000
        }
    );
    let concern = Concern::Frequent {
        field: "name".into(),
    };
    assert!(check.concerns.contains(&concern));
}

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::normalise::tests::parts_twice;
use crate::normalise::text;

const LABELLED: &str = include_str!("../../../tests/data/company-names.tsv");

fn first(raw: &str, component: Component) -> String {
    let (value, _) = parse(&text::clean(raw));
    let value = value.unwrap();
    value.first(component).unwrap_or_default().to_owned()
}

fn whole(raw: &str) -> String {
    parse(&text::clean(raw)).0.unwrap().whole().to_owned()
}

/// Share of the labelled names of one set (of all sets if empty) with the right component, which
/// the table has in `column`, and the others.
fn share(set: &str, component: Component, column: usize) -> (f64, String) {
    let mut right = 0;
    let mut all = 0;
    let mut wrong = String::new();
    for line in LABELLED.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        if !set.is_empty() && cells[0] != set {
            continue;
        }
        let found = first(cells[1], component);
        let expected = match (component, cells[column]) {
            (Component::Branch, "") => HEAD_OFFICE,
            (_, label) => label,
        };
        all += 1;
        if found == expected {
            right += 1;
        } else {
            writeln!(wrong, "{}: {found}, not {expected}", cells[1]).unwrap();
        }
    }
    assert!(all >= 100);
    (f64::from(right) / f64::from(all), wrong)
}

#[test]
fn brands_of_the_names_used_for_tuning() {
    let (share, wrong) = share("tuning", Component::Brand, 3);
    assert!(share >= 0.95, "{share}\n{wrong}");
}

#[test]
fn brands_of_the_names_held_back() {
    let (share, wrong) = share("held-back", Component::Brand, 3);
    assert!(share >= 0.95, "{share}\n{wrong}");
}

#[test]
fn forms_and_branches() {
    for (component, column) in [(Component::Form, 5), (Component::Branch, 6)] {
        let (share, wrong) = share("", component, column);
        assert!(share >= 0.97, "{share}\n{wrong}");
    }
}

#[test]
fn the_worked_examples_agree_and_differ_as_they_should() {
    let full = "广州市天河区鑫源贸易有限公司";
    let pulled = "鑫源贸易(广州)有限责任公司";
    let other = "广州鑫源商贸有限公司";
    for name in [full, pulled, other] {
        assert_eq!(first(name, Component::Brand), "鑫源", "{name}");
        assert_eq!(first(name, Component::City), "4401", "{name}");
        assert_eq!(first(name, Component::Form), "有限", "{name}");
        assert_eq!(first(name, Component::Branch), HEAD_OFFICE, "{name}");
    }
    assert_eq!(first(full, Component::District), "440106");
    assert_eq!(first(full, Component::Trade), "贸易");
    assert_eq!(first(other, Component::Trade), "商贸");
    assert_eq!(whole(pulled), "广州市鑫源贸易有限公司");
    assert_eq!(whole("广州鑫源贸易有限责任公司"), whole(pulled));
    let branch = "广州市天河区鑫源贸易有限公司深圳分公司";
    assert_eq!(first(branch, Component::Branch), "深圳分公司");
    assert_ne!(whole(branch), whole(full));
}

#[test]
fn branches_agree_in_the_short_name_of_their_city() {
    let long = "招商银行股份有限公司深圳市南山区支行";
    let short = "招商银行股份有限公司深圳南山支行";
    assert_eq!(first(long, Component::Branch), "深圳南山支行");
    assert_eq!(whole(long), whole(short));
}

#[test]
fn brackets_hold_regions_forms_branches_and_remarks() {
    assert_eq!(whole("广州华新(集团)有限公司"), "广州市华新集团有限公司");
    assert_eq!(whole("宝洁（中国）有限公司"), "宝洁有限公司");
    assert_eq!(
        first("清远市清城区石角镇锐锐汤粉店(个体工商户)", Component::Form),
        "店"
    );
    let (_, state) = parse(&text::clean("广州宝洁有限公司(已注销)"));
    assert_eq!(state, FieldState::Repaired(Finding::RemarkRemoved));
    let (_, state) = parse(&text::clean("广州宝洁有限公司"));
    assert_eq!(state, FieldState::Valid);
}

#[test]
fn regions_at_the_end_are_cut_however_many() {
    let raw = format!("环球国际航运{}", "青岛".repeat(9));
    assert_eq!(whole(&raw), "青岛市环球国际航运");
    for raw in [
        raw,
        "广州随州市广州\u{C}随州市\u{C}黄冈黄冈\u{C}黄冈黄冈".to_owned(),
    ] {
        parts_twice(parse, &raw).unwrap();
    }
}

#[test]
fn a_name_with_its_region_in_brackets_is_read_as_with_it_in_front() {
    let (raw, plain) = ("鑫济源县集团公司(广州)", "广州市鑫济源县集团公司");
    assert_eq!(whole(raw), plain);
    assert_eq!(first(raw, Component::Brand), "鑫济源县");
    parts_twice(parse, "广州市广济源县集团公司(广州").unwrap();
}

#[test]
fn latin_names_are_words() {
    assert_eq!(whole("ACME Trading Co., Ltd."), "acme trading co ltd");
    assert_eq!(
        first("ACME Trading Co., Ltd.", Component::Brand),
        "acme trading"
    );
    assert_eq!(first("ACME Trading Co., Ltd.", Component::Form), "ltd");
    assert_eq!(parse("...").1, FieldState::Invalid(Finding::BadCharacters));
}

#[test]
fn the_dictionaries_are_sorted_and_without_doubles() {
    let (forms, trades, towns) = (
        crate::pack::COMPANY_FORMS,
        crate::pack::COMPANY_TRADES,
        crate::pack::TOWNS,
    );
    let words: Vec<&str> = trades
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(words.len() >= 1_500);
    assert!(words.is_sorted_by(|a, b| a < b));
    let mut spellings: Vec<&str> = forms
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let count = spellings.len();
    spellings.sort_unstable();
    spellings.dedup();
    assert_eq!(spellings.len(), count);
    assert!(forms.lines().all(|line| line.split('\t').count() == 3));
    for line in towns.lines().filter(|line| !line.starts_with('#')) {
        let code = line.split(' ').next().and_then(|code| code.parse().ok());
        assert!(crate::pack::region(code.unwrap()).is_some(), "{line}");
    }
}

const NAME_LIKE: &str = "[广州市东莞深圳天河区虎门镇中国鑫源华贸易科技五金制品店厂行部有限责任公司股份集团第一分支银大学()0-9a-c]{0,20}";

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_twice_alike(raw in "\\PC*") {
        parts_twice(parse, &raw)?;
    }

    #[test]
    fn text_like_names_is_read_twice_alike(raw in NAME_LIKE) {
        parts_twice(parse, &raw)?;
    }
}

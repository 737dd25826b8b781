use std::collections::BTreeSet;

use super::*;

fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

#[test]
fn surnames_are_read_as_surnames() {
    for (name, reading) in [
        ("翟", "zhai"),
        ("曾", "zeng"),
        ("单", "shan"),
        ("仇", "qiu"),
        ("区", "ou"),
        ("解", "xie"),
        ("查", "zha"),
        ("尉迟", "yu chi"),
        ("万俟", "mo qi"),
        ("澹台", "tan tai"),
        ("欧阳", "ou yang"),
        ("陈", "chen"),
        ("吕", "lv"),
    ] {
        assert_eq!(surname(name).unwrap().readings.join(" "), reading, "{name}");
    }
    assert_eq!(reading('单'), Some("dan"));
    assert_eq!(readings('曾'), ["ceng", "zeng"]);
    assert!(
        surnames()
            .iter()
            .all(|s| s.readings.len() == s.text.chars().count())
    );
    assert!(surname("张三").is_none());
}

#[test]
fn characters_fold_one_by_one_to_a_fixed_point() {
    assert_eq!(folded("錢鍾書"), "钱钟书");
    assert_eq!(folded("鍾楚紅"), "钟楚红");
    assert_eq!(folded("閆峯"), "闫峰");
    assert_eq!(folded("張三豐"), "张三丰");
    assert_eq!(folded("a於\u{F9D8}"), "a於律");
    for code in 0..=0x10_FFFF {
        if let Some(c) = char::from_u32(code) {
            assert_eq!(fold(fold(c)), fold(c), "{c}");
        }
    }
}

#[test]
fn private_use_characters_have_their_standard_ones() {
    assert_eq!(standard('\u{E863}'), Some('䶮'));
    assert_eq!(standard('\u{E81E}'), Some('\u{9FB4}'));
    assert_eq!(standard('\u{E000}'), None);
    assert_eq!(standard('张'), Some('张'));
    assert_eq!(rows(PRIVATE_USE.1).count(), 105);
}

#[test]
fn confused_characters_share_a_class() {
    assert_eq!(weak('肖'), weak('萧'));
    assert_eq!(weak('於'), weak('余'));
    assert_ne!(weak('肖'), weak('付'));
    assert_eq!(weak('锋'), None);
}

#[test]
fn every_code_ever_issued_is_known() {
    for (code, name, current) in [
        (440_000, "广东省", true),
        (440_104, "越秀区", true),
        (440_102, "东山区", false),
        (440_524, "潮阳县", false),
        (441_900, "东莞市", true),
        (810_000, "香港特别行政区", true),
        (820_000, "澳门特别行政区", true),
        (830_000, "台湾省", true),
    ] {
        let found = region(code).unwrap();
        assert_eq!((found.name, found.current), (name, current), "{code}");
    }
    let codes: BTreeSet<u32> = regions().iter().map(|region| region.code).collect();
    assert!(codes.len() >= 6_700, "{}", codes.len());
    assert!(codes.iter().all(|code| (110_000..=830_000).contains(code)));
    assert_eq!(region(440_102).unwrap().successors, [440_104]);
    let shunde = regions().iter().find(|r| r.name == "顺德市").unwrap();
    assert_eq!(shunde.successors, [440_606]);
    let successors = regions().iter().flat_map(|r| r.successors.clone());
    assert!(
        successors
            .into_iter()
            .all(|code| region(code).is_some_and(|r| r.current))
    );
}

#[test]
fn tables_are_as_large_as_they_should_be() {
    let count = |table: (&str, &'static str)| rows(table.1).count();
    assert!(count(HAN) > 28_000 && count(SURNAMES) > 700 && count(HONG_KONG) > 6_000);
    assert_eq!(country_numeric(124), Some("CAN"));
    assert_eq!(country_alpha3("CAN"), Some(124));
    let han = (0x4E00..0x9FA6).filter_map(char::from_u32);
    let read = han
        .filter(|c| fold(*c) != *c || reading(*c).is_some())
        .count();
    assert!(read > 20_800, "{read}");
    assert_eq!(four_corner('王'), Some(*b"10104"));
}

#[test]
fn spellings_of_hong_kong() {
    assert!(hong_kong('陈').contains(&"chan") && hong_kong('黄').contains(&"wong"));
    assert!(hong_kong('徐').contains(&"tsui") && hong_kong('文').contains(&"man"));
    assert!(hong_kong('大').contains(&"tai"));
}

#[test]
fn the_hash_covers_every_table() {
    let mut names: Vec<_> = TABLES.iter().map(|(name, _)| *name).collect();
    let listed = names.clone();
    names.sort_unstable();
    assert_eq!(names, listed);
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/pack")).unwrap();
    let tables = files.filter(|f| {
        let name = f.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".tsv")
    });
    assert_eq!(tables.count(), TABLES.len());
    assert_ne!(hash(), &[0; 32]);
}

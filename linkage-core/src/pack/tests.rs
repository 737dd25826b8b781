use std::collections::HashSet;

use super::*;

fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

fn characters() -> impl Iterator<Item = char> {
    (0..=char::MAX as u32).filter_map(char::from_u32)
}

fn rows_of(name: &str) -> Vec<Vec<&'static str>> {
    let (_, text) = TABLES.iter().find(|table| table.0 == name).unwrap();
    text.lines()
        .map(|line| line.split('\t').collect())
        .collect()
}

fn is_reading(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[test]
fn names_fold_character_by_character() {
    for (written, expected) in [
        ("錢鍾書", "钱钟书"),
        ("鍾楚紅", "钟楚红"),
        ("閆峯", "闫峰"),
        ("張三豐", "张三丰"),
        ("傑昇喆堃甯龑煒溫栢羣", "杰升哲坤宁䶮炜温柏群"),
        ("\u{f9d8}", "律"),
        ("abc·〇。", "abc·〇。"),
    ] {
        assert_eq!(folded(written), expected, "{written}");
    }
}

#[test]
fn every_fold_is_a_fixed_point() {
    let moved: Vec<char> = characters().filter(|&c| fold(c) != c).collect();
    assert_eq!(moved.len(), rows_of("fold.tsv").len());
    for c in moved {
        assert_eq!(fold(fold(c)), fold(c), "{c}");
        assert_eq!(
            reading(c),
            None,
            "{c} has a reading though it folds to {}",
            fold(c)
        );
    }
}

#[test]
fn distinct_surnames_stay_apart() {
    for pair in [
        "肖萧", "付傅", "闫阎", "邱丘", "代戴", "于於", "余於", "涂凃", "凌淩", "仝同",
    ] {
        let pair: Vec<char> = pair.chars().collect();
        assert_ne!(fold(pair[0]), fold(pair[1]));
        if pair[1] != '於' {
            assert_eq!(weak(pair[0]), weak(pair[1]));
        }
        assert!(weak(pair[0]).is_some(), "{pair:?}");
    }
    assert_eq!(weak('于'), weak('余'));
    assert_eq!(weak('陈'), None);
    for row in rows_of("weak.tsv") {
        let c: char = row[0].parse().unwrap();
        let class = weak(c).unwrap();
        assert_eq!(
            fold(c),
            c,
            "a member of a weak class that folds is never looked up"
        );
        assert_eq!(weak(class), Some(class));
    }
}

#[test]
fn private_use_characters_become_standard_or_nothing() {
    assert_eq!(standard('\u{e863}'), Some('䶮'));
    assert_eq!(standard('\u{e81e}'), Some('\u{9fb4}'));
    assert_eq!(standard('\u{e7c7}'), Some('\u{1e3f}'));
    assert_eq!(standard('\u{e864}'), Some('\u{9fbb}'));
    assert_eq!(standard('\u{e865}'), None);
    assert_eq!(standard('\u{f0000}'), None);
    assert_eq!(standard('陈'), Some('陈'));
    let known: Vec<char> = ('\u{e000}'..='\u{f8ff}').filter_map(standard).collect();
    assert_eq!(known.len(), 105);
    let targets: HashSet<char> = known.iter().copied().collect();
    assert_eq!(targets.len(), known.len());
    assert!(known.iter().all(|&c| standard(c) == Some(c)));
}

#[test]
fn readings_are_those_of_today() {
    for (c, expected) in [
        ('叶', "ye"),
        ('单', "dan"),
        ('吕', "lv"),
        ('佛', "fo"),
        ('晟', "sheng"),
        ('娜', "na"),
        ('䶮', "yan"),
        ('赟', "yun"),
    ] {
        assert_eq!(reading(c), Some(expected), "{c}");
    }
    assert_eq!(readings('仇'), ["qiu", "chou"]);
    assert_eq!(readings('a'), [""; 0]);
    assert_eq!(reading('\u{e863}'), None);
    for row in rows_of("readings.tsv") {
        let list = readings(row[0].parse().unwrap());
        assert_eq!(list.join(" "), row[1]);
        assert!((1..=4).contains(&list.len()) && list.iter().all(|text| is_reading(text)));
        assert_eq!(
            list.iter().collect::<HashSet<_>>().len(),
            list.len(),
            "{list:?}"
        );
    }
}

#[test]
fn surnames_have_readings_of_their_own() {
    for (text, expected) in [
        ("翟", "zhai"),
        ("曾", "zeng"),
        ("单", "shan"),
        ("仇", "qiu"),
        ("区", "ou"),
        ("解", "xie"),
        ("查", "zha"),
        ("盖", "ge"),
        ("朴", "piao"),
        ("冼", "xian"),
        ("缪", "miao"),
        ("覃", "qin"),
        ("任", "ren"),
        ("华", "hua"),
        ("宁", "ning"),
        ("葛", "ge"),
        ("逄", "pang"),
        ("郇", "xun"),
        ("员", "yun"),
        ("佴", "nai"),
        ("撒", "sa"),
        ("繁", "po"),
        ("召", "shao"),
        ("燕", "yan"),
        ("应", "ying"),
        ("乐", "yue"),
        ("纪", "ji"),
        ("尉迟", "yu chi"),
        ("万俟", "mo qi"),
        ("长孙", "zhang sun"),
        ("澹台", "tan tai"),
        ("欧阳", "ou yang"),
    ] {
        let found = surname(text).unwrap_or_else(|| panic!("{text} is missing"));
        assert_eq!(
            (found.text, found.readings.join(" ").as_str()),
            (text, expected)
        );
    }
    for text in ["", "a", "曾国", "欧阳修", "錢"] {
        assert_eq!(surname(text), None, "{text}");
    }
}

#[test]
fn surnames_are_folded_counted_and_found() {
    let (mut single, mut compound, mut people) = (0, 0, 0);
    for entry in surnames() {
        assert_eq!(folded(entry.text), entry.text);
        assert_eq!(surname(entry.text), Some(entry));
        assert_eq!(
            entry.readings.len(),
            entry.text.chars().count(),
            "{}",
            entry.text
        );
        assert!(entry.readings.iter().all(|text| is_reading(text)));
        people += entry.weight;
        match entry.readings.len() {
            1 => single += 1,
            2 => compound += 1,
            other => panic!("{} has {other} characters", entry.text),
        }
    }
    assert!(
        single >= 500 && compound >= 80,
        "{single} single, {compound} compound"
    );
    assert!(
        (8_000_000..=10_000_000).contains(&people),
        "{people} of 10 million"
    );
    assert!(surname("王").unwrap().weight > surname("欧阳").unwrap().weight);
    assert!(surname("欧阳").unwrap().weight > surname("长孙").unwrap().weight);
}

#[test]
fn look_alikes_share_digits_of_the_four_corner_code() {
    assert_eq!(four_corner('闫').as_ref(), Some(b"37101"));
    assert_eq!(four_corner('王').as_ref(), Some(b"10104"));
    assert_eq!(four_corner('x'), None);
    let rows = rows_of("four-corner.tsv");
    assert!(rows.len() >= 20_000, "{}", rows.len());
    for row in rows {
        let code = four_corner(row[0].parse().unwrap()).unwrap();
        assert!(code.iter().all(u8::is_ascii_digit));
        assert_eq!(code, row[1].as_bytes());
    }
    // The basic multilingual plane's characters in use have a code.
    let missing = surnames().iter().flat_map(|entry| entry.text.chars());
    assert_eq!(
        missing
            .filter(|&c| four_corner(c).is_none())
            .collect::<String>(),
        ""
    );
}

#[test]
fn hong_kong_spellings_follow_use_and_rule() {
    for (c, expected) in [
        ('黄', &["wong"][..]),
        ('吴', &["ng"]),
        ('徐', &["tsui", "chui"]),
        ('蔡', &["choi", "tsoi"]),
        ('陈', &["chan"]),
        ('张', &["cheung"]),
        ('李', &["lee", "li"]),
        ('周', &["chow", "chau"]),
        ('叶', &["yip", "ip"]),
        // By rule from the reading.
        ('强', &["keung"]),
        ('玲', &["ling"]),
        ('国', &["kwok"]),
        ('大', &["tai"]),
        ('x', &[]),
    ] {
        assert_eq!(hong_kong(c), expected, "{c}");
    }
    let rows = rows_of("hong-kong.tsv");
    assert!(rows.len() >= 10_000, "{}", rows.len());
    for row in rows {
        let list = hong_kong(row[0].parse().unwrap());
        assert_eq!(list.join(" "), row[1]);
        assert!(
            (1..=2).contains(&list.len()) && list.iter().all(|text| is_reading(text)),
            "{row:?}"
        );
    }
}

#[test]
fn regions_have_sane_codes_and_current_successors() {
    assert!(regions().len() >= 7_000, "{}", regions().len());
    assert_eq!(regions().len(), rows_of("regions.tsv").len());
    for entry in regions() {
        assert!((110_000..=830_000).contains(&entry.code), "{}", entry.code);
        let province = entry.code / 10_000 * 10_000;
        assert!(
            region(province).is_some_and(|found| found.current),
            "{}",
            entry.code
        );
        assert_eq!(region(entry.code), Some(entry));
        assert!(!entry.name.is_empty());
        assert_eq!(entry.current, entry.until.is_none(), "{}", entry.code);
        assert!(entry.since.is_none_or(|year| (1980..=2030).contains(&year)));
        assert!(entry.until.is_none_or(|year| (1980..=2030).contains(&year)));
        assert!(!entry.current || entry.successors.is_empty());
        for &successor in entry.successors {
            assert!(
                region(successor).is_some_and(|found| found.current),
                "{entry:?}"
            );
        }
    }
    let led_on = regions()
        .iter()
        .filter(|entry| !entry.successors.is_empty());
    let led_on = led_on.count();
    assert!(led_on >= 3_000, "{led_on} have successors");
}

#[test]
fn abolished_regions_lead_to_those_of_today() {
    for (code, name, successors) in [
        (440_102, "东山区", &[440_104][..]),
        (440_681, "顺德市", &[440_606]),
        (449_001, "顺德市", &[440_606]),
        (440_524, "潮阳县", &[440_513]),
        (440_121, "花县", &[440_114]),
        (442_502, "东莞市", &[441_900]),
        (110_103, "崇文区", &[110_101]),
        (320_586, "吴县市", &[320_506, 320_507]),
    ] {
        let found = region(code).unwrap();
        assert_eq!(
            (found.name, found.current, found.successors),
            (name, false, successors)
        );
    }
    for (code, name) in [
        (440_000, "广东省"),
        (440_100, "广州市"),
        (440_104, "越秀区"),
        (440_115, "南沙区"),
        (440_309, "龙华区"),
        (441_900, "东莞市"),
        (810_000, "香港特别行政区"),
        (820_000, "澳门特别行政区"),
        (830_000, "台湾省"),
    ] {
        let found = region(code).unwrap();
        assert_eq!((found.name, found.current), (name, true));
    }
    assert_eq!(region(0), None);
    assert_eq!(region(990_105), None);
    assert_eq!(region(u32::MAX), None);
}

#[test]
fn countries_have_both_codes() {
    assert_eq!(country_numeric(124), Some("CAN"));
    assert_eq!(country_alpha3("CAN"), Some(124));
    assert_eq!(country_alpha3("CHN"), Some(156));
    assert_eq!(country_numeric(999), None);
    assert_eq!(country_alpha3("can"), None);
    let rows = rows_of("countries.tsv");
    assert!(rows.len() >= 249);
    for row in rows {
        let numeric = row[0].parse().unwrap();
        assert_eq!(country_numeric(numeric), Some(row[1]));
        assert_eq!(country_alpha3(row[1]), Some(numeric));
        assert!(row[1].len() == 3 && row[1].bytes().all(|byte| byte.is_ascii_uppercase()));
    }
}

/// Tables that the script derives; the dictionaries of company names follow them.
const DERIVED: usize = 9;

#[test]
fn table_files_ascend_without_repeats() {
    for (name, text) in TABLES.into_iter().take(DERIVED) {
        assert!(text.ends_with('\n') && !text.contains('\r'), "{name}");
        let rows = rows_of(name);
        let width = rows[0].len();
        assert!(rows.iter().all(|row| row.len() == width), "{name}");
        let ascending = rows.is_sorted_by(|before, after| before[0] < after[0]);
        assert!(ascending, "{name}");
    }
}

#[test]
fn hash_covers_names_lengths_and_text() {
    let mut message = Vec::new();
    for (name, text) in TABLES {
        for part in [name, text] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part.as_bytes());
        }
    }
    assert_eq!(
        hash()[..],
        *digest::digest(&digest::SHA256, &message).as_ref()
    );
    let named: HashSet<&str> = TABLES.iter().map(|table| table.0).collect();
    assert_eq!(named.len(), TABLES.len());
}

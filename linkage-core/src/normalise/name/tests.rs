use proptest::prelude::*;

use super::*;
use crate::record::Component as C;

fn name(raw: &str) -> NormalValue {
    let (value, _) = parse(&text::clean(raw), Components::ALL);
    value.unwrap_or_else(|| panic!("{raw} has no value"))
}

fn state(raw: &str) -> FieldState {
    parse(&text::clean(raw), Components::ALL).1
}

#[track_caller]
fn has(raw: &str, component: C, texts: &[&str]) {
    let value = name(raw);
    let found: Vec<&str> = value.texts(component).collect();
    assert_eq!(found, texts, "{raw}");
}

#[test]
fn one_form_for_every_spelling() {
    for (raw, whole) in [
        (" 张　三丰 ", "张三丰"),
        ("張三豐", "张三丰"),
        ("閆峯", "闫峰"),
        ("买买提•阿布都拉", "买买提阿布都拉"),
        ("买买提．阿布都拉", "买买提阿布都拉"),
        ("买买提·阿布都拉", "买买提阿布都拉"),
        ("买买提 阿布都拉", "买买提阿布都拉"),
        ("\u{E863}明", "䶮明"),
        ("王?明", "王\u{FFFD}明"),
        ("王□明", "王\u{FFFD}明"),
        ("王x明", "王\u{FFFD}明"),
        ("王小明(女)", "王小明"),
        ("王小明（已故）", "王小明"),
        ("王小明2", "王小明"),
        ("王小明女士", "王小明"),
        ("王XIAO明", "王xiao明"),
        ("O'Brien-Smith", "obrien smith"),
        ("roberts-yates", "roberts yates"),
        ("José Müller", "jose muller"),
        ("SMITH, John", "smith john"),
        ("さくら", "さくら"),
    ] {
        assert_eq!(name(raw).whole(), whole, "{raw}");
    }
}

#[test]
fn states_say_what_was_done() {
    use FieldState::{Invalid, Placeholder, Repaired, Suspect, Valid};
    for (raw, expected) in [
        ("张 三", Valid),
        ("O'Brien", Valid),
        ("王小明(女)", Repaired(Finding::RemarkRemoved)),
        ("王小明1", Repaired(Finding::RemarkRemoved)),
        ("王?明", Suspect(Finding::Unreadable)),
        ("王", Suspect(Finding::Unparsed)),
        ("□□(男)", Invalid(Finding::Unreadable)),
        ("??", Invalid(Finding::Unreadable)),
        ("!!", Invalid(Finding::BadCharacters)),
        ("王芳之子", Placeholder),
        ("王芳之女1", Placeholder),
        ("王芳之婴(女)", Placeholder),
        ("新生儿甲", Placeholder),
        ("王某", Placeholder),
        ("李某某", Placeholder),
    ] {
        assert_eq!(state(raw), expected, "{raw}");
    }
    // Calligrapher, not a newborn.
    assert_eq!(state("王羲之"), Valid);
}

#[test]
fn surname_and_given_name() {
    for (raw, surname, given) in [
        ("张三丰", "张", "三丰"),
        ("欧阳锋", "欧阳", "锋"),
        ("歐陽", "欧", "阳"),
        ("诸葛孔明", "诸葛", "孔明"),
        ("王xiao明", "王", "xiao明"),
    ] {
        has(raw, C::Surname, &[surname]);
        has(raw, C::Given, &[given]);
    }
    has("买买提·阿布都拉", C::Surname, &[]);
    has("?小明", C::Surname, &[]);
    has("?小明", C::Given, &["小明"]);
    has("?小明", C::GivenPinyin, &["xiao ming"]);
}

#[test]
fn readings() {
    for (raw, pinyin) in [
        ("张三丰", "zhang san feng"),
        ("曾单", "zeng dan"),
        ("单单", "shan dan"),
        ("区明", "ou ming"),
        ("翟天临", "zhai tian lin"),
        ("尉迟恭", "yu chi gong"),
        ("万俟卨明", "mo qi xie ming"),
        ("吕布", "lv bu"),
        ("王XIAO明", "wang xiao ming"),
        ("王XIAOMING", "wang xiao ming"),
        ("王?明", "wang \u{FFFD} ming"),
        ("ZHANG SAN FENG", "zhang san feng"),
        ("Zhang Sanfeng", "zhang san feng"),
        ("Sanfeng Zhang", "zhang san feng"),
        ("Xi'an Li", "li xi an"),
        ("LYU Bu", "lv bu"),
        ("Ouyang Feng", "ou yang feng"),
        ("John Smith", "john smith"),
        ("anna", "an na"),
    ] {
        has(raw, C::Pinyin, &[pinyin]);
    }
    for raw in ["欧阳锋", "Ouyang Feng", "Feng Ouyang"] {
        if raw.is_ascii() && raw.starts_with("Feng") {
            // Both words can be surnames: the order stands.
            has(raw, C::SurnamePinyin, &["feng"]);
            continue;
        }
        has(raw, C::SurnamePinyin, &["ou yang"]);
        has(raw, C::GivenPinyin, &["feng"]);
    }
    has("anna", C::SurnamePinyin, &[]);
}

#[test]
fn other_forms() {
    has("陈方安生", C::Alias, &["方安生"]);
    has("王小明(曾用名:王大明、王二)", C::Alias, &["王大明", "王二"]);
    has("王小明 曾用名 王大明", C::Alias, &["王大明"]);
    assert_eq!(name("王小明又名王大明").whole(), "王小明");
    has("陈大文 CHAN Tai Man", C::Alias, &["chan tai man"]);
    assert_eq!(name("CHAN TAI MAN (陈大文)").whole(), "陈大文");
    has("买买提·阿布都拉", C::Segment, &["买买提", "阿布都拉"]);
    has(
        "古丽巴哈尔·阿不力克木·艾买提江",
        C::Alias,
        &["古丽巴哈尔阿不力克木"],
    );
    let long = "一二三四五六七八九十一二三四五六七八九十一二三";
    has(
        long,
        C::Alias,
        &[
            "一二三四五六七八九十一二",
            "一二三四五六七八九十一二三四五六七八九十",
        ],
    );
    assert!(name("肖明").texts(C::Weak).eq(name("萧明").texts(C::Weak)));
    assert_eq!(name("肖明").texts(C::Weak).count(), 1);
    has("张三", C::Weak, &[]);
}

#[test]
fn hong_kong_and_wade_giles() {
    let value = name("陈大文");
    assert!(value.texts(C::HongKong).any(|s| s == "chan tai man"));
    has("蒋介石", C::WadeGiles, &["chiang chieh shih"]);
    has("CHAN Tai Man", C::HongKong, &["chan tai man"]);
    assert!(
        name("陈大文 CHAN TAI MAN")
            .texts(C::HongKong)
            .any(|s| s == "chan tai man")
    );
}

#[test]
fn a_name_with_nothing_left_in_characters_is_words() {
    for (raw, whole) in [
        ("??쬧曽\u{FFFE}用名??", "쬧"),
        ("?쬧쬧先生", "쬧쬧"),
        ("wang先生", "wang"),
    ] {
        let (value, _) = parse(&text::clean(raw), Components::ALL);
        assert_eq!(value.unwrap().whole(), whole, "{raw}");
    }
}

proptest! {
    #[test]
    fn a_canonical_name_stays_as_it_is(
        raw in "[王张欧阳明芳又名曾用原先生女士之子婴儿a-gx?·（）() 1。]{1,12}|\\PC{0,24}|[a-zé' -]{1,20}"
    ) {
        let (value, _) = parse(&text::clean(&raw), Components::ALL);
        if let Some(value) = value {
            let (again, _) = parse(&text::clean(value.whole()), Components::ALL);
            let again = again.map(|again| again.whole().to_owned());
            prop_assert_eq!(again.as_deref(), Some(value.whole()));
        }
    }

    #[test]
    fn every_text_is_read_without_panic(raw in any::<String>()) {
        let _ = parse(&text::clean(&raw), Components::ALL);
    }
}

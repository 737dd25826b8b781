use proptest::prelude::*;

use super::*;
use crate::normalise::tests::parts_twice;
use crate::normalise::text;

/// Whole, components joined by blanks.
fn read_all(raw: &str) -> (String, String) {
    let (value, _) = parse(&text::clean(raw), Components::ALL);
    let value = value.unwrap();
    let parts: Vec<_> = value.components().map(|(_, text)| text).collect();
    (value.whole().to_owned(), parts.join(" "))
}

fn parts(raw: &str) -> String {
    read_all(raw).1
}

fn state(raw: &str) -> FieldState {
    parse(&text::clean(raw), Components::ALL).1
}

#[test]
fn the_worked_example() {
    let (whole, parts) = read_all("广东省广州市东山区中山三路三十三号二楼201");
    assert_eq!(parts, "44 4401 440104 中山三路 #33 f2 r201");
    assert_eq!(whole, "广东省广州市越秀区中山三路33号2楼201室");
}

#[test]
fn regions_by_old_short_and_missing_names() {
    for (raw, expected) in [
        ("广州市天河区体育西路103号", "44 4401 440106 体育西路 #103"),
        (
            "中国广东广州天河体育西路103号",
            "44 4401 440106 体育西路 #103",
        ),
        (
            "广东省佛山市顺德市容奇镇桂洲大道",
            "44 4406 440606 容奇 桂洲大道",
        ),
        (
            "顺德市大良街道办事处新宁路1号",
            "44 4406 440606 大良 新宁路 #1",
        ),
        ("广州增城市荔城街", "44 4401 440118 荔城街"),
        ("东莞市虎门镇连升路5号", "44 4419 虎门 连升路 #5"),
        ("东莞虎门连升路5号", "44 4419 虎门 连升路 #5"),
        ("中山市古镇镇新兴大道", "44 4420 古镇 新兴大道"),
        ("中山市三乡镇", "44 4420 三乡"),
        ("北京市朝阳区建国路88号", "11 1101 110105 建国路 #88"),
        ("上海浦东新区世纪大道8号", "31 3101 310115 世纪大道 #8"),
        (
            "广州市广州市海珠区新港西路135号",
            "44 4401 440105 新港西路 #135",
        ),
        (
            "广西壮族自治区南宁市青秀区民族大道",
            "45 4501 450103 民族大道",
        ),
        ("广西南宁青秀区民族大道", "45 4501 450103 民族大道"),
    ] {
        assert_eq!(parts(raw), expected, "{raw}");
    }
}

#[test]
fn a_city_in_the_name_of_a_road_is_not_the_city() {
    assert_eq!(parts("中山三路33号"), "中山三路 #33");
    assert_eq!(parts("广州市中山大道西1号"), "44 4401 中山大道西 #1");
    assert_eq!(parts("广州市北京路3号"), "44 4401 北京路 #3");
    assert_eq!(parts("上海市南京东路3号"), "31 3101 南京东路 #3");
    assert_eq!(parts("广州白云大道北3号"), "44 4401 白云大道北 #3");
}

#[test]
fn unknown_places_are_suspect_and_usable() {
    let unknown = FieldState::Suspect(Finding::UnknownPlace);
    assert_eq!(state("中山三路33号"), unknown);
    assert_eq!(state("白云区机场路1号"), unknown);
    assert_eq!(parts("白云区机场路1号"), "机场路 #1");
    assert_eq!(state("广州市机场路1号"), FieldState::Valid);
    assert_eq!(
        state("广州市机场路1号(临街)"),
        FieldState::Repaired(Finding::RemarkRemoved)
    );
}

#[test]
fn numbers_and_what_they_number() {
    for (raw, expected) in [
        ("33号之一", "#33 z1"),
        ("33号之二首层", "#33 z2 f1"),
        ("三十三号二幢五楼", "#33 b2 f5"),
        ("33号2座廿五层2501房", "#33 b2 f25 r2501"),
        ("33号A座B单元1201室", "#33 ba ub r1201"),
        ("33号二号楼3单元", "#33 b2 u3"),
        ("33号负一层", "#33 f-1"),
        ("33号地下二层", "#33 f-2"),
        ("33号B1层", "#33 f-1"),
        ("33号12F", "#33 f12"),
        ("33号2-201", "#33 b2 r201"),
        ("33号3栋2-201房", "#33 b3 u2 r201"),
        ("33、35号", "#33 #35"),
        ("33-35号", "#33-35"),
        ("33号二、三楼", "#33 f2 f3"),
        ("33号三至五层", "#33 f3-5"),
        ("自编33号自编2栋", "#33 b2"),
        ("33号201-203房", "#33 r201-203"),
        ("０３３号１楼", "#33 f1"),
        ("33号第2层第5档", "#33 f2 r5"),
        ("33", "#33"),
        ("33号中怡大厦1201", "#33 r1201"),
    ] {
        let parts = parts(&format!("广州市天河区天河路{raw}"));
        assert_eq!(parts, format!("44 4401 440106 天河路 {expected}"), "{raw}");
    }
}

#[test]
fn numerals_of_road_names_stay_numerals() {
    for raw in ["新洲十一街三巷二号", "新洲11街3巷2号"] {
        assert_eq!(
            parts(&format!("广州市海珠区{raw}")),
            "44 4401 440105 新洲十一街三巷 #2"
        );
    }
    assert_eq!(
        parts("广州市白云区三元里大道18号"),
        "44 4401 440111 三元里大道 #18"
    );
    assert_eq!(parts("清远市清城区107国道旁"), "44 4418 441802 107国道旁");
}

#[test]
fn western_addresses_are_words_and_numbers() {
    let (whole, parts) = read_all("12 O'Shanassy St., Unit 4B");
    assert_eq!(whole, "12 oshanassy st unit 4b");
    assert_eq!(parts, "oshanassy st unit #12 #4b");
    assert_eq!(read_all("12").1, "#12");
    assert_eq!(
        parse("--", Components::ALL).1,
        FieldState::Invalid(Finding::BadCharacters)
    );
}

const ALPHABET: &str = "[广东省州市天河区路街道镇号楼层栋座室房单元之自编第首负地下一二三十百廿零〇0-9a-fA-F、()-]{0,24}";

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_twice_alike(raw in "\\PC*") {
        parts_twice(|clean| parse(clean, Components::ALL), &raw)?;
    }

    #[test]
    fn address_like_text_is_read_twice_alike(raw in ALPHABET) {
        parts_twice(|clean| parse(clean, Components::ALL), &raw)?;
    }
}

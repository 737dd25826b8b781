use proptest::prelude::*;

use super::*;
use crate::keys::ProjectKey;
use crate::record::Component;

fn feature(kind: FeatureKind, part: Component) -> Feature {
    let grams = matches!(kind, FeatureKind::QGram | FeatureKind::PositionalQGram);
    let near = kind == FeatureKind::NumericNeighbourhood;
    Feature {
        kind,
        part,
        q: grams.then_some(2),
        distance: near.then_some(10.0),
        resolution: near.then_some(5),
        bits: 100,
    }
}

fn value(whole: &str, components: &[(Component, &str)]) -> NormalValue {
    let mut value = NormalValue::text(Zeroizing::new(whole.into()));
    for (component, text) in components {
        value.add(*component, text);
    }
    value
}

/// The features, sorted.
fn cut(feature: &Feature, value: &NormalValue) -> Vec<Vec<u8>> {
    let namer = Namer::new(&ProjectKey::from_bytes([1; 32]).cache("f"));
    let mut features = Features::default();
    let range = features.extract(feature, value, &namer);
    let mut out: Vec<_> = range
        .map(|index| {
            let item = features.get(index).unwrap();
            [item.head(), item.text()].concat()
        })
        .collect();
    out.sort();
    out
}

fn whole(kind: FeatureKind, text: &str) -> Vec<Vec<u8>> {
    cut(&feature(kind, Component::Whole), &value(text, &[]))
}

fn shared(a: &[Vec<u8>], b: &[Vec<u8>]) -> usize {
    a.iter().filter(|x| b.contains(x)).count()
}

#[test]
fn q_grams_are_padded_and_come_once() {
    assert_eq!(
        whole(FeatureKind::QGram, "欧欧欧"),
        ["q\0欧", "q欧\0", "q欧欧"].map(|f| f.as_bytes().to_vec())
    );
    assert_eq!(whole(FeatureKind::PositionalQGram, "aaa").len(), 4);
    let mut four = feature(FeatureKind::QGram, Component::Whole);
    four.q = Some(4);
    assert_eq!(
        cut(&four, &value("a", &[])),
        [&b"q\0\0\0a"[..], b"q\0\0a\0", b"q\0a\0\0", b"qa\0\0\0"].map(<[u8]>::to_vec)
    );
    four.q = Some(1);
    assert_eq!(cut(&four, &value("ab", &[])), [b"qa", b"qb"]);
}

#[test]
fn what_cannot_be_read_gives_no_feature() {
    let name = value("王\u{FFFD}明", &[(Component::Pinyin, "wang \u{FFFD} ming")]);
    let mut han = feature(FeatureKind::QGram, Component::Whole);
    han.q = Some(1);
    assert_eq!(cut(&han, &name).len(), 2);
    assert!(cut(&feature(FeatureKind::Whole, Component::Whole), &name).is_empty());
    let spoken = |kind| cut(&feature(kind, Component::Pinyin), &name);
    assert_eq!(
        spoken(FeatureKind::FuzzySyllable),
        [&b"fmin"[..], b"fwan"].map(<[u8]>::to_vec)
    );
    let all = |text| {
        cut(
            &feature(FeatureKind::PinyinBigram, Component::Whole),
            &value(text, &[]),
        )
    };
    assert_eq!(spoken(FeatureKind::PinyinBigram), all("wang ming"));
}

#[test]
fn syllables_in_another_order_have_the_same_sounds() {
    for kind in [FeatureKind::PinyinBigram, FeatureKind::FuzzySyllable] {
        assert_eq!(whole(kind, "zhang san feng"), whole(kind, "feng zhang san"));
    }
    assert_eq!(
        whole(FeatureKind::FuzzySyllable, "zhang ning"),
        whole(FeatureKind::FuzzySyllable, "zan lin")
    );
}

#[test]
fn a_component_with_several_texts_gives_the_features_of_each() {
    let phones = value(
        "1380 1390",
        &[(Component::Number, "1380"), (Component::Number, "1390")],
    );
    let numbers = feature(FeatureKind::Whole, Component::Number);
    assert_eq!(cut(&numbers, &phones), [b"w1380", b"w1390"]);
    let absent = feature(FeatureKind::Whole, Component::Brand);
    assert!(cut(&absent, &phones).is_empty());
}

#[test]
fn a_date_has_three_components() {
    let day = Day {
        year: 1985,
        month: 3,
        day: 7,
    };
    let date = |day| {
        cut(
            &feature(FeatureKind::DateComponents, Component::Whole),
            &NormalValue::day(day),
        )
    };
    let other = Day { day: 8, ..day };
    assert_eq!(date(day).len(), 3);
    assert_eq!(shared(&date(day), &date(other)), 2);
    // The third of July is not the seventh of March.
    let swapped = Day {
        month: 7,
        day: 3,
        ..day
    };
    assert_eq!(shared(&date(day), &date(swapped)), 1);
    assert!(whole(FeatureKind::DateComponents, "no date").is_empty());
}

#[test]
fn kinds_never_share_a_feature() {
    let kinds = [
        FeatureKind::QGram,
        FeatureKind::PositionalQGram,
        FeatureKind::PinyinBigram,
        FeatureKind::FuzzySyllable,
        FeatureKind::Whole,
        FeatureKind::NumericNeighbourhood,
    ];
    for (at, a) in kinds.iter().enumerate() {
        for b in &kinds[at + 1..] {
            assert_eq!(shared(&whole(*a, "12"), &whole(*b, "12")), 0, "{a:?} {b:?}");
        }
    }
}

#[test]
fn near_quantities_share_steps_by_distance() {
    let near = |text| whole(FeatureKind::NumericNeighbourhood, text);
    assert_eq!(near("100").len(), 11);
    assert_eq!(shared(&near("100"), &near("100.0")), 11);
    assert_eq!(shared(&near("-3"), &near("-3")), 11);
    assert_eq!(shared(&near("100"), &near("105")), 6);
    assert_eq!(shared(&near("100"), &near("110")), 1);
    assert_eq!(shared(&near("100"), &near("112")), 0);
    for none in ["", "-", ".", "1e5", "12,3", &"9".repeat(60)] {
        assert!(near(none).is_empty(), "{none}");
    }
}

fn kinds() -> impl Strategy<Value = FeatureKind> {
    prop::sample::select(vec![
        FeatureKind::QGram,
        FeatureKind::PositionalQGram,
        FeatureKind::PinyinBigram,
        FeatureKind::FuzzySyllable,
        FeatureKind::FourCorner,
        FeatureKind::DateComponents,
        FeatureKind::NumericNeighbourhood,
        FeatureKind::Whole,
    ])
}

proptest! {
    #[test]
    fn any_text_gives_distinct_features(kind in kinds(), text in "\\PC{0,90}|[a-b ]{0,90}|[0-9.-]{0,50}") {
        let features = whole(kind, &text);
        prop_assert!(features.windows(2).all(|pair| pair[0] != pair[1]));
    }

    /// Long lists are sorted, short ones compared: both keep the same set.
    #[test]
    fn repeats_do_not_matter(text in "[a-d]{1,20}", times in 1_usize..8) {
        let mut once = feature(FeatureKind::QGram, Component::Number);
        once.q = Some(1);
        let single = cut(&once, &value("x", &[(Component::Number, &text)]));
        let many = vec![(Component::Number, text.as_str()); times];
        prop_assert_eq!(single, cut(&once, &value("x", &many)));
    }

    #[test]
    fn decimals_are_exact(whole in -1_000_000_000_i64..1_000_000_000, micros in 0_i64..1_000_000) {
        prop_assume!(whole != 0);
        let text = format!("{whole}.{micros:06}");
        let expected = i128::from(whole) * 1_000_000 + i128::from(whole.signum() * micros);
        prop_assert_eq!(decimal(&text), Some(expected));
    }
}

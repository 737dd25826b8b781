use proptest::prelude::*;

use super::*;
use crate::normalise::text;
use crate::record::Component;

fn read(raw: &str) -> (Option<String>, FieldState) {
    let (value, state) = parse(&text::clean(raw));
    (value.map(|value| value.whole().to_owned()), state)
}

fn component(raw: &str, component: Component) -> Option<String> {
    let (value, _) = parse(&text::clean(raw));
    value.and_then(|value| value.first(component).map(str::to_owned))
}

#[test]
fn credit_codes_of_every_department_are_valid() {
    for code in [
        "91350100M000100Y43",
        "91440101MA5ABCD191",
        "92440300MA5G0H12X3",
        "91441900708451106B",
        "124400004558500019",
        "52440100MJK000014U",
        "93441800MA54TUWX3D",
        "51440000MJL123454J",
        "31440000MD00001206",
        "N2440111MF0000128F",
        "81440000MC1234566U",
        "Y1440000MB0000123F",
    ] {
        assert_eq!(read(code), (Some(code.into()), FieldState::Valid));
        assert_eq!(
            component(code, Component::CreditCode).as_deref(),
            Some(code)
        );
        let nine = component(code, Component::OrganisationCode);
        assert_eq!(nine.as_deref(), code.get(8..17));
    }
}

#[test]
fn look_alike_letters_are_repaired_when_the_check_then_holds() {
    let repaired = FieldState::Repaired(Finding::LookAlikeLetters);
    let whole = Some("91440101MA5ABCD191".to_owned());
    assert_eq!(read("9144O101MA5ABCD191"), (whole.clone(), repaired));
    assert_eq!(read("9I44OIOIMASABCDI9I"), (whole, repaired));
    assert_eq!(
        read("9144O101MA5ABCD181"),
        (None, FieldState::Invalid(Finding::BadCharacters))
    );
}

#[test]
fn faulty_credit_codes_are_named() {
    let cases = [
        ("91350100M000100Y4Z", Finding::BadCharacters),
        ("91350100M000100Y44", Finding::BadCheck),
        ("91440300PDY00001X3", Finding::PrivateUse),
        ("914401**MA5ABCD191", Finding::Masked),
        ("9.144010170845E+17", Finding::TruncatedBySpreadsheet),
        ("914419007084511000", Finding::TruncatedBySpreadsheet),
        ("91440101MA5ABCD1", Finding::BadLength),
        ("无此代码", Finding::BadCharacters),
        ("Ж1440101MA5ABCD191", Finding::BadCharacters),
    ];
    for (code, finding) in cases {
        assert_eq!(read(code), (None, FieldState::Invalid(finding)), "{code}");
    }
}

#[test]
fn a_wrong_inner_check_or_an_unknown_region_is_suspect() {
    let (value, state) = read("91440101MA5ABCD105");
    assert!(value.is_some());
    assert_eq!(state, FieldState::Suspect(Finding::BadInnerCheck));
    let unknown = with_check("91449901MA5ABCD19");
    assert_eq!(
        read(&unknown).1,
        FieldState::Suspect(Finding::UnknownRegion)
    );
    let nowhere = with_check("91000101MA5ABCD19");
    assert_eq!(read(&nowhere).1, FieldState::Suspect(Finding::BadRegion));
    let central = with_check("91100000MA5ABCD19");
    assert_eq!(read(&central).1, FieldState::Valid);
    assert_eq!(read(&with_check("B1440101MA5ABCD19")).0, None);
}

/// The first 17 characters with the check character that holds, found by trial.
fn with_check(body: &str) -> String {
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .map(|check| format!("{body}{check}"))
        .find(|code| {
            let value = |c| "0123456789ABCDEFGHJKLMNPQRTUWXY".find(c).unwrap();
            let sum: usize = code
                .chars()
                .enumerate()
                .map(|(i, c)| {
                    value(c)
                        * [
                            1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1,
                        ][i]
                })
                .sum();
            sum.is_multiple_of(31)
        })
        .unwrap()
}

#[test]
fn organisation_codes() {
    for code in ["D2143569-X", "M000100Y-4", "MA5ABCD1-9", "MAC12345-5"] {
        let plain = code.replace('-', "");
        assert_eq!(read(code), (Some(plain.clone()), FieldState::Valid));
        assert_eq!(component(code, Component::OrganisationCode), Some(plain));
    }
    assert_eq!(read("00000000-0"), (None, FieldState::Placeholder));
    assert_eq!(
        read("D2143569-1"),
        (None, FieldState::Invalid(Finding::BadCheck))
    );
    assert_eq!(
        read("PDY00001-X"),
        (None, FieldState::Invalid(Finding::PrivateUse))
    );
}

#[test]
fn registration_numbers() {
    for code in [
        "110108000000016",
        "440101000000017",
        "440306600000023",
        "100000000000014",
        "441900400000126",
        "4401011234567",
    ] {
        assert_eq!(read(code), (Some(code.into()), FieldState::Valid));
        let number = component(code, Component::RegistrationNumber);
        assert_eq!(number.as_deref(), Some(code));
    }
    assert_eq!(
        read("440101000000018"),
        (None, FieldState::Invalid(Finding::BadCheck))
    );
}

#[test]
fn tax_numbers_share_the_organisation_code_of_credit_codes() {
    let old = component("441900708451106", Component::OrganisationCode);
    let new = component("91441900708451106B", Component::OrganisationCode);
    assert_eq!(old, new);
    assert!(old.is_some());
    assert_eq!(read("440101MA5ABCD19").1, FieldState::Valid);
}

#[test]
fn numbers_of_persons_and_branches_are_suspect_and_have_no_components() {
    for code in [
        "11010519491231002X",
        "11010519491231002X01",
        "110105491231002",
        "11010549123100201",
        "11010549123100200001",
        "44190070845110601",
    ] {
        let (value, state) = parse(&text::clean(code));
        assert_eq!(state, FieldState::Suspect(Finding::Unparsed), "{code}");
        assert_eq!(value.unwrap().components().count(), 0);
    }
}

#[test]
fn separators_labels_and_remarks_are_taken_away() {
    let whole = Some("91440101MA5ABCD191".to_owned());
    let cases = [
        ("９１４４０１０１ＭＡ５ＡＢＣＤ１９１", FieldState::Valid),
        ("91440101-MA5ABCD19-1", FieldState::Valid),
        (
            "9144 0101 MA5A BCD1 91",
            FieldState::Repaired(Finding::Spelling),
        ),
        (
            "统一社会信用代码：91440101MA5ABCD191",
            FieldState::Repaired(Finding::RemarkRemoved),
        ),
        (
            "91440101ma5abcd191(已注销)",
            FieldState::Repaired(Finding::RemarkRemoved),
        ),
    ];
    for (raw, state) in cases {
        assert_eq!(read(raw), (whole.clone(), state), "{raw}");
    }
    assert_eq!(read("111111111111111111").1, FieldState::Placeholder);
}

#[test]
fn no_single_substitution_in_a_credit_code_passes() {
    let code = "91441900708451106B";
    for place in 0..18 {
        for c in "0123456789ABCDEFGHJKLMNPQRTUWXY".chars() {
            let mut other: Vec<char> = code.chars().collect();
            if other[place] == c {
                continue;
            }
            other[place] = c;
            let other: String = other.into_iter().collect();
            assert!(
                component(&other, Component::CreditCode).is_none(),
                "{other}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_twice_alike(raw in "[0-9A-Za-z一-三*.,()（）: -]{0,24}|\\PC*") {
        if let (Some(whole), state) = read(&raw) {
            let (again, second) = read(&whole);
            prop_assert_eq!(again, Some(whole));
            let repaired = matches!(state, FieldState::Repaired(_));
            prop_assert!(repaired || second == state);
        }
    }

    #[test]
    fn codes_with_a_right_check_stay_themselves(body in "9[1-3]44[0-9]{4}[0-9A-HJ-NPQRTUWXY]{9}") {
        let code = with_check(&body);
        if let (Some(whole), _) = read(&code) {
            prop_assert_eq!(whole, code);
        }
    }
}

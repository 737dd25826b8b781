use proptest::prelude::*;

use super::*;
use crate::normalise::tests::parts_twice;

const TODAY: Day = Day {
    year: 2026,
    month: 1,
    day: 1,
};

fn read(raw: &str) -> (Option<String>, FieldState) {
    let (value, state) = parse(&text::clean(raw), TODAY, Components::ALL);
    (value.map(|value| value.whole().to_owned()), state)
}

#[track_caller]
fn reads(raw: &str, whole: &str, state: FieldState) {
    assert_eq!(read(raw), (Some(whole.to_owned()), state), "{raw}");
}

#[test]
fn resident_numbers() {
    for number in [
        "11010519491231002X",
        "440524188001010014",
        "810000199408230021",
        "830000199201300022",
        "820000188001010017",
        "441900188012319991",
    ] {
        reads(number, number, FieldState::Valid);
        reads(&format!("resident:{number}"), number, FieldState::Valid);
    }
    reads(
        "１１０１０５１９４９１２３１００２Ｘ",
        "11010519491231002X",
        FieldState::Valid,
    );
    reads(
        "11010519491231002x",
        "11010519491231002X",
        FieldState::Valid,
    );
    let spelling = FieldState::Repaired(Finding::Spelling);
    for spelled in [
        "11010519491231002×",
        "11010519491231002Х",
        "11010519491231002χ",
        "110105 19491231 002X",
        "110105-19491231-002X",
    ] {
        reads(spelled, "11010519491231002X", spelling);
    }
    reads(
        "11010519491231002Ⅹ",
        "11010519491231002X",
        FieldState::Valid,
    );
    reads(
        "11010519491231002X（已注销）",
        "11010519491231002X",
        FieldState::Repaired(Finding::RemarkRemoved),
    );
    let upgraded = FieldState::Repaired(Finding::UpgradedFrom15);
    reads("110105491231002", "11010519491231002X", upgraded);
    reads("440524800101998", "440524188001019983", upgraded);
}

#[test]
fn invalid_resident_numbers_say_why() {
    for (raw, finding) in [
        ("110105194912310021", Finding::BadCheck),
        ("110105194913310021", Finding::BadDate),
        ("110105190002290025", Finding::BadDate),
        ("000000194912310027", Finding::BadRegion),
        ("990105194912310023", Finding::BadRegion),
        ("440106209912310013", Finding::BadDate),
        ("11010519491231002", Finding::BadLength),
        ("110105194912310000", Finding::TruncatedBySpreadsheet),
        ("4.40106E+17", Finding::TruncatedBySpreadsheet),
        ("1101051949****002X", Finding::Masked),
        ("1101051949XXXX002X", Finding::Masked),
        ("110105491331002", Finding::BadDate),
        ("1101051949123100二X", Finding::BadCharacters),
    ] {
        assert_eq!(read(raw), (None, FieldState::Invalid(finding)), "{raw}");
    }
    for raw in [
        "111111111111111111",
        "000000000000000000",
        "123456789012345678",
        "123456199001011234",
        "110101199001011234",
        "1234567878",
        "8888888801",
    ] {
        assert_eq!(read(raw), (None, FieldState::Placeholder), "{raw}");
    }
    // A county that no list has, in a province that exists; the check is right.
    let body = "44999919900101001";
    let number = (0..=10)
        .map(|check| format!("{body}{}", "0123456789X".get(check..=check).unwrap()))
        .find(|number| read(number).0.is_some())
        .unwrap();
    reads(
        &number,
        &number,
        FieldState::Suspect(Finding::UnknownRegion),
    );
}

#[test]
fn components_of_a_resident_number() {
    let components = |number: &str| {
        let (value, _) = parse(number, TODAY, Components::ALL);
        let value = value.unwrap();
        let list = value.components().map(|(c, text)| (c, text.to_owned()));
        list.collect::<Vec<_>>()
    };
    let word = |component, text: &str| (component, text.to_owned());
    assert_eq!(
        components("440524188001010014"),
        [
            word(Component::DocumentType, "resident"),
            word(Component::Province, "44"),
            word(Component::City, "4405"),
            word(Component::District, "440524"),
        ]
    );
    // Dongguan has no districts.
    assert_eq!(components("441900188012319991").len(), 3);
    let person = resident("11010519491231002X").unwrap();
    assert_eq!(
        (person.birth.year, person.birth.month, person.birth.day),
        (1949, 12, 31)
    );
    assert!(!person.male && resident("441900188012319991").unwrap().male);
    assert!(resident("passport:E12345678").is_none());
}

#[test]
fn other_documents() {
    for (raw, whole) in [
        (
            "911124198108030024",
            "permanent-resident:911124198108030024",
        ),
        ("CAN110081080310", "permanent-resident:CAN110081080310"),
        ("A123456(3)", "hkid:A1234563"),
        ("A1234563", "hkid:A1234563"),
        ("AB987654(3)", "hkid:AB9876543"),
        ("C123456(9)", "hkid:C1234569"),
        ("G123456(A)", "hkid:G123456A"),
        ("A123456789", "taiwan-id:A123456789"),
        ("H12345678", "hk-macau-permit:H12345678"),
        ("M1234567801", "hk-macau-permit:M12345678"),
        ("HA1234567", "hk-macau-permit:HA1234567"),
        ("23456781", "taiwan-permit:23456781"),
        ("0123456701(B)", "taiwan-permit:01234567"),
        ("L12345678", "taiwan-permit:L12345678"),
        ("E12345678", "passport:E12345678"),
        ("EA1234567", "passport:EA1234567"),
        ("141234567", "passport:141234567"),
        ("护照:AB1234", "passport:AB1234"),
        ("USA0000000A1234567", "passport:A1234567"),
        (
            "6222021234567890128",
            "social-security-card:6222021234567890128",
        ),
    ] {
        let (value, state) = read(raw);
        assert_eq!(
            (value.as_deref(), state),
            (Some(whole), FieldState::Valid),
            "{raw}"
        );
    }
    assert_eq!(read("A123456(4)").1, FieldState::Invalid(Finding::BadCheck));
    assert_eq!(read("A1234564").1, FieldState::Suspect(Finding::BadCheck));
    assert_eq!(read("A123456788").1, FieldState::Invalid(Finding::BadCheck));
    assert_eq!(
        read("CAN110081080311").1,
        FieldState::Invalid(Finding::BadCheck)
    );
    assert_eq!(
        read("13812345679").1,
        FieldState::Invalid(Finding::BadLength)
    );
    assert_eq!(
        read("abcdefg").1,
        FieldState::Invalid(Finding::BadCharacters)
    );
}

/// Every single substitution and adjacent transposition of a valid number is found.
#[test]
fn no_single_error_makes_another_valid_number() {
    let number = "11010519491231002X";
    for place in 0..18 {
        for digit in '0'..='9' {
            let mut wrong: Vec<char> = number.chars().collect();
            if wrong[place] != digit {
                wrong[place] = digit;
                let wrong: String = wrong.iter().collect();
                assert_eq!(read(&wrong).0, None, "{wrong}");
            }
        }
    }
}

proptest! {
    #[test]
    fn canonical_numbers_stay_as_they_are(
        raw in "[A-Z]{0,3}[0-9]{4,18}[0-9A-Z]?|[A-Z]{1,2}[0-9]{6}\\([0-9A]\\)|\\PC{0,20}"
    ) {
        parts_twice(|clean| parse(clean, TODAY, Components::ALL), &raw)?;
    }
}

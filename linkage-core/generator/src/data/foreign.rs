//! Foreigners: numeric nationality (ISO 3166-1) and common names in Latin letters, all equally
//! likely. Written down by the authors.

/// A nationality and names of its people.
pub(crate) struct Nationality {
    pub(crate) code: u32,
    pub(crate) male: &'static [&'static str],
    pub(crate) female: &'static [&'static str],
    pub(crate) surnames: &'static [&'static str],
}

#[rustfmt::skip]
const ENGLISH: ([&str; 12], [&str; 12], [&str; 16]) = (
    ["JAMES", "JOHN", "ROBERT", "MICHAEL", "DAVID", "WILLIAM", "RICHARD", "THOMAS", "DANIEL", "MARK", "PAUL", "ANDREW"],
    ["MARY", "LINDA", "SUSAN", "KAREN", "EMILY", "SARAH", "LAURA", "ANNA", "JULIA", "RACHEL", "HELEN", "CLAIRE"],
    ["SMITH", "JOHNSON", "BROWN", "TAYLOR", "WILSON", "MILLER", "ANDERSON", "MARTIN", "THOMPSON", "WHITE", "CLARK", "LEWIS", "WALKER", "HALL", "YOUNG", "KING"],
);

/// The nationalities, all equally likely.
#[rustfmt::skip]
pub(crate) const NATIONALITIES: &[Nationality] = &[
    Nationality { code: 840, male: &ENGLISH.0, female: &ENGLISH.1, surnames: &ENGLISH.2 },
    Nationality { code: 124, male: &ENGLISH.0, female: &ENGLISH.1, surnames: &ENGLISH.2 },
    Nationality { code: 826, male: &ENGLISH.0, female: &ENGLISH.1, surnames: &ENGLISH.2 },
    Nationality {
        code: 410,
        male: &["MINHO", "JIHOON", "SEUNGWOO", "DONGHYUN", "SUNGMIN", "YOUNGHO"],
        female: &["JIWON", "MINJI", "SOYOUNG", "EUNJI", "HYEJIN", "YUNA"],
        surnames: &["KIM", "LEE", "PARK", "CHOI", "JUNG", "KANG", "CHO", "YOON"],
    },
    Nationality {
        code: 392,
        male: &["HIROSHI", "TAKASHI", "KENJI", "SATOSHI", "DAISUKE", "AKIRA"],
        female: &["YUKO", "KEIKO", "NAOMI", "YUMI", "AYAKO", "MARI"],
        surnames: &["SATO", "SUZUKI", "TAKAHASHI", "TANAKA", "WATANABE", "ITO", "YAMAMOTO", "NAKAMURA"],
    },
    Nationality {
        code: 356,
        male: &["RAJESH", "AMIT", "SANJAY", "VIJAY", "ARUN", "RAHUL"],
        female: &["PRIYA", "ANITA", "SUNITA", "KAVITA", "NEHA", "POOJA"],
        surnames: &["SHARMA", "PATEL", "GUPTA", "SINGH", "KUMAR", "VERMA", "JAIN", "MEHTA"],
    },
    Nationality {
        code: 250,
        male: &["PIERRE", "NICOLAS", "LAURENT", "JULIEN", "ANTOINE", "FRANÇOIS"],
        female: &["MARIE", "CAMILLE", "SOPHIE", "ÉLODIE", "CLAIRE", "HÉLÈNE"],
        surnames: &["MARTIN", "BERNARD", "DUBOIS", "LEFÈVRE", "MOREAU", "GIRARD", "ROUX", "FAURE"],
    },
];

//! What can be wrong in a record, and where.

macro_rules! names {
    ($(#[$meta:meta])* $type:ident, $method_doc:literal: $($variant:ident $slug:literal $doc:literal)+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $type {
            $(#[doc = $doc] $variant,)+
        }

        impl $type {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            #[doc = $method_doc]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }
        }
    };
}

names! {
    /// A column that can hold an error.
    Field, "The column's name.":
    Name "name" "A person's name."
    Sex "sex" "Sex."
    BirthDate "birth_date" "Date of birth."
    IdNumber "id_number" "Number of the identity document."
    Mobile "mobile" "Mobile number."
    CompanyName "company_name" "An enterprise's name."
    Uscc "uscc" "Unified social credit code."
    OrgCode "org_code" "Organisation code."
    RegistrationNumber "registration_number" "Registration number."
    LegalRepresentative "legal_representative" "Name of the legal representative."
    Phone "phone" "Telephone number."
    Address "address" "Address."
}

names! {
    /// What went wrong in a field.
    Kind, "The name used in the error log.":
    HomophoneGiven "homophone-given" "Given-name character of the same sound."
    HomophoneSurname "homophone-surname" "Surname of the same sound."
    DialectNear "dialect-near" "Character that sounds the same where zh/z, n/l, -ng/-n merge."
    Mistyped "mistyped" "Character of a neighbouring syllable."
    LookAlike "look-alike" "Character of similar shape, written by hand or eye."
    Misread "misread" "Character of similar shape, read by a scanner."
    Traditional "traditional" "Name in traditional characters."
    CharacterLost "character-lost" "A character is missing."
    Swapped "swapped" "Given-name characters in the wrong order."
    Unprintable "unprintable" "`?`, `*` or `□` for a character."
    PinyinInPlace "pinyin-in-place" "Pinyin for a character."
    Newborn "newborn" "Mother's name with 之子 or 之女 for a child not yet named."
    Interpunct "interpunct" "Another separator than `·` between the parts of a name, or none."
    Romanised "romanised" "The spelling of a Hong Kong document instead of the characters."
    Renamed "renamed" "The name before a change of name."
    DigitWrong "digit-wrong" "One digit of the date."
    DayMonthSwapped "day-month-swapped" "Day and month exchanged."
    LunarDate "lunar-date" "The lunar date written as if solar."
    YearOff "year-off" "One year early or late."
    FirstOfJanuary "first-of-january" "Only the year was known."
    Flipped "flipped" "The other sex."
    Substituted "substituted" "One character of a number."
    Transposed "transposed" "Two neighbouring characters exchanged."
    LengthWrong "length-wrong" "A character lost or doubled."
    LastLost "last-lost" "Last character lost or starred."
    OldForm "old-form" "The 15-digit form."
    Relative "relative" "A relative's number."
    SharedNumber "shared-number" "A number that was given to two people by mistake."
    FormerNumber "former-number" "The number before it was corrected."
    OtherDocument "other-document" "Number of another document of the person."
    OldCode "old-code" "Only the older organisation code is held."
    OwnNumber "own-number" "Only a number of the department's own is held."
    Missing "missing" "Empty."
    Placeholder "placeholder" "A value that stands for none."
    Other "other" "Another number of the person, family or enterprise."
    Moved "moved" "An earlier or another address."
    FullWidth "full-width" "Right, but in full-width digits."
    RegionForm "region-form" "The region of a company name written longer or shorter."
    RegionDropped "region-dropped" "The region of a company name left out."
    RegionBracketed "region-bracketed" "The region moved into brackets."
    FormChanged "form-changed" "Another form of organisation."
    Abbreviated "abbreviated" "Trade or form left out."
    BrandHomophone "brand-homophone" "Brand character of the same sound."
    BrandLookAlike "brand-look-alike" "Brand character of similar shape."
    TradeVaried "trade-varied" "Another word for the trade."
    FormerRepresentative "former-representative" "The legal representative before the present one."
}

/// An error: where and what.
pub type Finding = (Field, Kind);

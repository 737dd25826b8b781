//! Types of documents, and how sources name them.

/// Type of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentKind {
    Resident,
    PermanentResident,
    HkMacauPermit,
    TaiwanPermit,
    Passport,
    Hkid,
    TaiwanId,
    SocialSecurityCard,
}

use DocumentKind::{
    HkMacauPermit, Hkid, Passport, PermanentResident, Resident, SocialSecurityCard, TaiwanId,
    TaiwanPermit,
};

/// Words before a number that say its type: ours, and those of forms in canonical (simplified)
/// characters.
const WORDS: [(&str, DocumentKind); 21] = [
    ("resident", Resident),
    ("permanent-resident", PermanentResident),
    ("hk-macau-permit", HkMacauPermit),
    ("taiwan-permit", TaiwanPermit),
    ("passport", Passport),
    ("hkid", Hkid),
    ("taiwan-id", TaiwanId),
    ("social-security-card", SocialSecurityCard),
    ("居民身份证", Resident),
    ("身份证号码", Resident),
    ("身份证号", Resident),
    ("身份证", Resident),
    ("居住证", Resident),
    ("外国人永久居留身份证", PermanentResident),
    ("永久居留证", PermanentResident),
    ("港澳居民来往内地通行证", HkMacauPermit),
    ("回乡证", HkMacauPermit),
    ("台湾居民来往大陆通行证", TaiwanPermit),
    ("台胞证", TaiwanPermit),
    ("护照", Passport),
    ("香港身份证", Hkid),
];

impl DocumentKind {
    /// The word for the type in canonical values.
    pub(super) fn word(self) -> &'static str {
        match self {
            Resident => "resident",
            PermanentResident => "permanent-resident",
            HkMacauPermit => "hk-macau-permit",
            TaiwanPermit => "taiwan-permit",
            Passport => "passport",
            Hkid => "hkid",
            TaiwanId => "taiwan-id",
            SocialSecurityCard => "social-security-card",
        }
    }

    /// The type that stands before the number, and the number.
    pub(super) fn declared(clean: &str) -> (Option<Self>, &str) {
        // Nearly every value is a bare number.
        if clean.starts_with(|c: char| c.is_ascii_digit()) {
            return (None, clean);
        }
        if let Some((word, number)) = clean.split_once(':') {
            let kind = WORDS.iter().find(|(known, _)| *known == word.trim_end());
            return match kind {
                Some((_, kind)) => (Some(*kind), number.trim_start()),
                None => (None, clean),
            };
        }
        for (word, kind) in WORDS.iter().filter(|(word, _)| !word.is_ascii()) {
            if let Some(number) = clean.strip_prefix(word) {
                return (Some(*kind), number.trim_start());
            }
        }
        (None, clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_before_the_number_says_its_type() {
        for (word, kind) in WORDS {
            let text = format!("{word}: a1");
            let (declared, number) = DocumentKind::declared(&text);
            assert!(declared == Some(kind), "{word}");
            assert_eq!(number, "a1");
            assert!(DocumentKind::declared(&format!("{}:1", kind.word())).0 == Some(kind));
        }
        let (declared, number) = DocumentKind::declared("护照 e12345678");
        assert!(declared == Some(Passport));
        assert_eq!(number, "e12345678");
        assert!(DocumentKind::declared("其他:1").0.is_none());
    }
}

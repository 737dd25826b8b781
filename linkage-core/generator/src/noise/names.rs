//! Name errors.

use std::ops::Range;
use std::sync::LazyLock;

use crate::data::characters::{CONFUSIONS, reading};
use crate::errors::Kind;
use crate::stream::{Stream, Weighted};

/// The mix in per cent: reasoned defaults, as [`super::rates`].
static MIX: LazyLock<Weighted<Kind>> = LazyLock::new(|| {
    Weighted::new([
        (Kind::HomophoneGiven, 28),
        (Kind::HomophoneSurname, 4),
        (Kind::DialectNear, 8),
        (Kind::Mistyped, 15),
        (Kind::LookAlike, 8),
        (Kind::Misread, 12),
        (Kind::Traditional, 5),
        (Kind::CharacterLost, 5),
        (Kind::Swapped, 3),
        (Kind::Unprintable, 7),
        (Kind::PinyinInPlace, 5),
    ])
});

/// A name in characters, the first `surname` of which are the surname.
struct Name {
    characters: Vec<char>,
    surname: usize,
}

/// A name with interpunct written otherwise.
pub(crate) fn separated_otherwise(stream: &mut Stream, name: &str) -> String {
    name.replace('·', stream.pick(&["•", "・", "．", ".", "-", " ", ""]))
}

/// The name with one error, and the error's kind. A kind that a name cannot suffer (no homophone
/// in use, only one given character) is drawn again, so the mix shifts a little toward the kinds
/// that always apply; the log states what happened.
pub(crate) fn garbled(stream: &mut Stream, surname: &str, given: &str) -> (String, Kind) {
    let name = Name {
        characters: surname.chars().chain(given.chars()).collect(),
        surname: surname.chars().count(),
    };
    for _ in 0..20 {
        let kind = MIX.pick(stream);
        if let Some(text) = name.suffer(stream, kind) {
            return (text, kind);
        }
    }
    // Any name can lose a character to the printer.
    (name.replaced(name.surname, "?"), Kind::Unprintable)
}

impl Name {
    fn suffer(&self, stream: &mut Stream, kind: Kind) -> Option<String> {
        let (surname, all) = (self.surname, self.characters.len());
        let given = surname + stream.below((all - surname) as u32) as usize;
        let any = stream.below(all as u32) as usize;
        match kind {
            // Typing errors fall on given names; surname homophones are counted apart.
            Kind::HomophoneGiven => {
                self.confused(stream, surname..all, |of, s| CONFUSIONS.homophones(of, s))
            }
            Kind::Mistyped => {
                self.confused(stream, surname..all, |of, s| CONFUSIONS.mistyped(of, s))
            }
            Kind::HomophoneSurname => {
                self.confused(stream, 0..surname, |of, s| CONFUSIONS.homophones(of, s))
            }
            Kind::DialectNear => self.confused(stream, 0..all, |of, s| CONFUSIONS.near(of, s)),
            // A scanner and a tired eye confuse the same shapes.
            Kind::LookAlike | Kind::Misread => {
                self.confused(stream, 0..all, |of, _| CONFUSIONS.look_alikes(of))
            }
            Kind::Traditional => self.traditional(),
            Kind::CharacterLost => self.without(given),
            Kind::Swapped => self.swapped(),
            Kind::Unprintable => Some(self.replaced(any, stream.pick(&["?", "*", "□"]))),
            Kind::PinyinInPlace => {
                let reading = reading(*self.characters.get(any)?, any < surname)?.to_uppercase();
                Some(self.replaced(any, &reading))
            }
            _ => None,
        }
    }

    /// The name with one character of `places` taken for another, if any of them can be. The
    /// question put to `wrong` is the character and whether it belongs to the surname.
    fn confused(
        &self,
        stream: &mut Stream,
        places: Range<usize>,
        wrong: impl Fn(char, bool) -> Vec<char>,
    ) -> Option<String> {
        // A name without surname has no place for an error there.
        let start = stream.below(places.len() as u32) as usize;
        let turned = places.clone().cycle().skip(start).take(places.len());
        let mut options = turned.filter_map(|place| {
            let wrong = wrong(*self.characters.get(place)?, place < self.surname);
            (!wrong.is_empty()).then_some((place, wrong))
        });
        let (place, wrong) = options.next()?;
        Some(self.replaced(place, stream.pick(&wrong).encode_utf8(&mut [0; 4])))
    }

    fn replaced(&self, place: usize, by: &str) -> String {
        let mut text = String::new();
        for (at, &character) in self.characters.iter().enumerate() {
            if at == place {
                text += by;
            } else {
                text.push(character);
            }
        }
        text
    }

    /// The whole name in traditional characters, if it differs.
    fn traditional(&self) -> Option<String> {
        let folded = |&c: &char| CONFUSIONS.traditional(c).unwrap_or(c);
        let differs = self
            .characters
            .iter()
            .any(|&c| CONFUSIONS.traditional(c).is_some());
        differs.then(|| self.characters.iter().map(folded).collect())
    }

    /// The name without one given character, if one remains.
    fn without(&self, place: usize) -> Option<String> {
        let remains = self.characters.len() > self.surname + 1;
        remains.then(|| self.replaced(place, ""))
    }

    /// The two given characters in the wrong order, if that makes a difference.
    fn swapped(&self) -> Option<String> {
        let (surname, given) = self.characters.split_at_checked(self.surname)?;
        let [first, second] = given else { return None };
        (first != second).then(|| surname.iter().chain([second, first]).collect())
    }
}

//! Given names, and whole names of those who have no surname apart.

use std::sync::LazyLock;

use super::pattern::{Member, Origin};
use super::person::Sex;
use crate::data::foreign::NATIONALITIES;
use crate::data::given_names::characters;
use crate::data::hong_kong;
use crate::data::interpunct;
use crate::data::surnames::SURNAMES;
use crate::stream::{Stream, Weighted};

/// The character that siblings share, in the fashion of the youngest child's cohort.
pub(super) fn generation(stream: &mut Stream, child: &Member) -> char {
    characters(child.sex, child.birth_year).0.pick(stream)
}

/// One or two characters, or for those without surname the whole name. A generation character
/// comes first and forces two.
pub(super) fn given_name(stream: &mut Stream, member: &Member, generation: Option<char>) -> String {
    let male = member.sex == Sex::Male;
    match member.origin {
        Origin::Interpunct => {
            let own = stream.pick(if male {
                interpunct::MALE
            } else {
                interpunct::FEMALE
            });
            return format!("{own}·{}", stream.pick(interpunct::MALE));
        }
        Origin::Foreign(place) => {
            let Some(nationality) = NATIONALITIES.get(usize::from(place)) else {
                return String::new();
            };
            let given = if male {
                nationality.male
            } else {
                nationality.female
            };
            return format!(
                "{} {}",
                stream.pick(given),
                stream.pick(nationality.surnames)
            );
        }
        Origin::HongKong | Origin::Macau => {
            let table = hong_kong::given(male);
            let (first, second) = (stream.pick(table), stream.pick(table));
            return String::from_iter([first, second]);
        }
        Origin::Mainland | Origin::Taiwan => {}
    }
    let (table, single) = characters(member.sex, member.birth_year);
    let one = stream.chance(single);
    let (first, second, third) = (table.pick(stream), table.pick(stream), table.pick(stream));
    let doubled = stream.chance(if male { 10 } else { 200 });
    match generation {
        None if one => String::from(first),
        None if doubled => String::from_iter([first, first]),
        _ => {
            let first = generation.unwrap_or(first);
            // 丽丽 is a name, but a chosen one: chance repeats are drawn again once.
            String::from_iter([first, if second == first { third } else { second }])
        }
    }
}

/// Surnames whose Hong Kong spelling is known, by their weights in Guangdong.
static ROMANISABLE: LazyLock<Weighted<&'static str>> = LazyLock::new(|| {
    let known = |surname: &&str| {
        let mut characters = surname.chars();
        characters.next().and_then(hong_kong::spelling).is_some() && characters.next().is_none()
    };
    Weighted::new(SURNAMES.entries().filter(|(surname, _)| known(surname)))
});

/// A surname of someone from Hong Kong or Macau.
pub(super) fn romanisable_surname(stream: &mut Stream) -> &'static str {
    ROMANISABLE.pick(stream)
}

/// The name as a Hong Kong document spells it, `CHAN TAI MAN`, if every character's spelling is
/// known.
pub(crate) fn romanised(surname: &str, given: &str) -> Option<String> {
    let spellings: Option<Vec<&str>> = surname
        .chars()
        .chain(given.chars())
        .map(hong_kong::spelling)
        .collect();
    Some(spellings?.join(" "))
}

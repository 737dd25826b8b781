//! Given names.

use super::household::Member;
use super::person::Sex;
use crate::data::given_names::characters;
use crate::stream::Stream;

/// The character that siblings share, in the fashion of the youngest child's cohort.
pub(super) fn generation(stream: &mut Stream, child: &Member) -> char {
    characters(child.sex, child.birth_year).0.pick(stream)
}

/// One or two characters. A generation character comes first and forces two. The number of draws
/// does not depend on it, so what follows in the stream stays the same.
pub(super) fn given_name(
    stream: &mut Stream,
    sex: Sex,
    birth_year: i16,
    generation: Option<char>,
) -> String {
    let (table, single) = characters(sex, birth_year);
    let one = stream.chance(single);
    let (first, second, third) = (table.pick(stream), table.pick(stream), table.pick(stream));
    let doubled = stream.chance(if sex == Sex::Female { 200 } else { 10 });
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

//! Who lives in a household: roles, sexes and ages.

use std::sync::LazyLock;

use crate::population::pattern::{Member, Origin, Role};
use crate::population::{REFERENCE_YEAR, Sex};
use crate::stream::{Stream, Weighted};

/// Ages of those who live alone, by bands of five years from 18; with [`COUPLE_AGES`] tuned so that
/// the whole population follows the census of 2020.
static SINGLE_AGES: LazyLock<Weighted<i32>> = LazyLock::new(|| {
    let bands = [
        50, 150, 150, 130, 90, 60, 60, 70, 60, 40, 40, 30, 24, 20, 16,
    ];
    Weighted::new((18..93).step_by(5).zip(bands))
});
/// Ages of wives without children at home, by bands of five years from 21.
static COUPLE_AGES: LazyLock<Weighted<i32>> = LazyLock::new(|| {
    let bands = [60, 150, 130, 70, 50, 70, 110, 110, 80, 70, 40, 25, 12, 6];
    Weighted::new((21..91).step_by(5).zip(bands))
});

/// Who lives in a household of `size`. Adults come first, then grandparents, then children from
/// the oldest to the youngest.
pub(in crate::population) fn compose(stream: &mut Stream, size: usize) -> Vec<Member> {
    let grandparents = match size {
        3 => usize::from(stream.chance(1_500)),
        4 => usize::from(stream.chance(2_000)),
        5 => {
            let drawn = stream.below(100);
            usize::from(drawn < 50) + usize::from(drawn < 25)
        }
        _ => 0,
    };
    // A pair is a parent with a child in one case of four.
    let adults = if size == 1 || (size == 2 && stream.chance(2_500)) {
        1
    } else {
        2
    };
    let children = size - adults - grandparents;
    let child_ages = child_ages(stream, children, grandparents == 0);
    let (first, second) = adults_of(stream, adults, grandparents, child_ages.first().copied());
    let mut members = vec![first];
    members.extend(second);
    let first_year = first.birth_year;
    for rank in 0..grandparents {
        // One grandparent is mostly the grandmother; of two, the grandfather comes first.
        let male = if grandparents == 2 {
            rank == 0
        } else {
            stream.chance(3_500)
        };
        let born = i32::from(first_year) - stream.between(22, 33);
        members.push(member(Role::Grandparent, sex(male), born));
    }
    // The mother's surname: 4 %.
    let inherits_second = stream.chance(400);
    let mothers_name = inherits_second && second.is_some();
    let mut previous = None;
    for age in child_ages {
        let male = stream.chance(5_350);
        let born = i32::from(REFERENCE_YEAR) - age;
        let mut child = member(Role::Child, sex(male), born);
        child.twin = previous == Some(age);
        child.mothers_name = mothers_name;
        previous = Some(age);
        members.push(child);
    }
    members
}

/// Ages of `children` from the oldest to the youngest; equal ages are twins. Third children are
/// twins of the second in 5 % of families. `grown` permits children who are all grown up.
fn child_ages(stream: &mut Stream, children: usize, grown: bool) -> Vec<i32> {
    let mut ages: Vec<i32> = Vec::with_capacity(children);
    if children == 0 {
        return ages;
    }
    // Grown children at home are rarer than minors.
    let minor = stream.chance(8_600) || !grown;
    let youngest = if minor {
        stream.below(17)
    } else {
        17 + stream.below(16)
    };
    let mut age = youngest as i32;
    ages.push(age);
    for rank in 1..children {
        let twins = children == 3 && rank == 1 && stream.chance(500);
        age += if twins { 0 } else { stream.between(2, 6) };
        ages.push(age);
    }
    ages.reverse();
    ages
}

/// The one or two adults; a couple's first is the man, whose surname children take.
fn adults_of(
    stream: &mut Stream,
    adults: usize,
    grandparents: usize,
    oldest: Option<i32>,
) -> (Member, Option<Member>) {
    let year = i32::from(REFERENCE_YEAR);
    if adults == 1 {
        // Men among those who live alone: 70 %, which brings all men near 53 %; lone parents: 35 %.
        let male = stream.chance(if oldest.is_some() { 3_500 } else { 7_000 });
        let age = match oldest {
            Some(oldest) => oldest + stream.between(21, 36),
            None => SINGLE_AGES.pick(stream) + stream.between(0, 4),
        };
        return (member(Role::Adult, sex(male), year - age), None);
    }
    let age = match oldest {
        Some(oldest) => oldest + stream.between(20, 33),
        // Whoever lives with a parent is not old.
        None if grandparents > 0 => stream.between(25, 58),
        None => COUPLE_AGES.pick(stream) + stream.between(0, 4),
    };
    let wife = member(Role::Adult, Sex::Female, year - age);
    let husband_age = (age + stream.between(-2, 5)).max(20);
    (
        member(Role::Adult, Sex::Male, year - husband_age),
        Some(wife),
    )
}

fn sex(male: bool) -> Sex {
    if male { Sex::Male } else { Sex::Female }
}

fn member(role: Role, sex: Sex, born: i32) -> Member {
    Member {
        role,
        sex,
        birth_year: born as i16,
        twin: false,
        mothers_name: false,
        origin: Origin::Mainland,
        place: 0,
        household: 0,
        region: 0,
        rank: 0,
        count: 1,
        sole: true,
        border_rank: 0,
    }
}

//! Documents of those from beyond the border, other than the residence permit.

use super::pattern::{Member, Origin};
use super::resident_id::CYCLES_MAX;
use crate::permutation::Permutation;
use crate::stream::{Purpose, mix};

/// Numbers beginning with 9, which as far as the authors know have not been reached.
const NUMBERS: u64 = 10_000_000;
/// The most holders in a pattern: 0.3 % of 48 000, ten times oversampled, and a household more of
/// each kind.
const HOLDERS_MAX: u64 = 1_440 + 15;
const _: () = assert!(CYCLES_MAX as u64 * HOLDERS_MAX < NUMBERS);

/// The number of the Mainland Travel Permit: `H` or `M` and 8 digits for Hong Kong and Macau, 8
/// digits for Taiwan. Distinct, because it permutes the holder's rank among all.
pub(super) fn travel_permit(
    seed: u64,
    member: &Member,
    cycle: u32,
    per_cycle: u16,
    realistic: bool,
) -> Option<String> {
    let letter = match member.origin {
        Origin::HongKong => "H",
        Origin::Macau => "M",
        Origin::Taiwan => "",
        _ => return None,
    };
    let rank = u64::from(cycle) * u64::from(per_cycle) + u64::from(member.border_rank);
    let numbers = Permutation::new(NUMBERS, mix([seed, Purpose::Document as u64, 0, 0]));
    let first = if realistic { 0 } else { 9 };
    Some(format!("{letter}{first}{:07}", numbers.apply(rank)))
}

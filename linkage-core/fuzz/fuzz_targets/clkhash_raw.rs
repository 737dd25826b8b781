//! Encodings end to end, after two bytes with their size and one with their number, if that is odd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::encode::clkhash::format::read_raw;
use linkage_fuzz::Kept;

fuzz_target!(|bytes: &[u8]| {
    let [low, high, count, body @ ..] = bytes else {
        return;
    };
    let size = usize::from(u16::from_le_bytes([*low, *high]));
    let announced = (count % 2 == 1).then_some(u64::from(count / 2));
    let mut kept = Kept::default();
    let Ok(summary) = read_raw(body, size, announced, &mut kept) else {
        return;
    };
    assert_eq!(kept.encodings.concat(), body);
    assert_eq!(summary.count, kept.encodings.len() as u64);
    assert!(announced.is_none_or(|count| count == summary.count));
});

//! The filter with which the matcher asks an owner for tokens: what is read answers every question,
//! and is written again with the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::ask::AskFilter;

fuzz_target!(|bytes: &[u8]| {
    let Ok(filter) = AskFilter::from_bytes(bytes.to_vec()) else {
        return;
    };
    let _ = filter.hits([0, 1, u64::MAX].into_iter());
    assert_eq!(filter.to_bytes(), bytes);
});

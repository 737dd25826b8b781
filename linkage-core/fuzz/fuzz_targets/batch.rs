//! A batch of encoded records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::encode::Batch;

fuzz_target!(|bytes: &[u8]| {
    let _ = Batch::decode(bytes);
});

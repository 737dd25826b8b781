//! A schema, TOML or JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::schema::Schema;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(schema) = Schema::parse(text)
    {
        let _ = schema.fingerprint();
    }
});

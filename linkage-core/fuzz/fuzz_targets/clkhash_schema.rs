//! A linkage schema of clkhash, version 1, 2 or 3: one that is accepted gives keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::encode::clkhash::encode::Encoder;
use linkage_core::encode::clkhash::keys::Secret;
use linkage_core::encode::clkhash::schema::Schema;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(schema) = Schema::parse(text)
    {
        let secret = Secret::new(vec![1]).expect("a secret of one byte");
        assert!(Encoder::new(&schema, &secret).is_ok());
        assert!(schema.encoding_bytes() * 8 >= schema.bits as usize);
    }
});

//! A field of kind `code`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use linkage_core::schema::Schema;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| linkage_fuzz::schema("code"));

fuzz_target!(|bytes: &[u8]| linkage_fuzz::normalise(&SCHEMA, bytes));

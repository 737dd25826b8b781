//! Nothing but the tests beside it: see `tests/audit.rs`.

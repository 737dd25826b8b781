//! Conversion between the wire's fields and domain types: a domain type or a typed refusal.

use linkage_core::ids::{PartyId, ProjectId};

use crate::fault::Fault;

/// A project identity.
///
/// # Errors
/// A fault unless there are 32 bytes.
pub fn project_id(bytes: &[u8]) -> Result<ProjectId, Fault> {
    fixed::<32>(bytes, "the project's identity").map(ProjectId::from)
}

/// A party's name.
///
/// # Errors
/// A fault unless it is well-formed.
pub fn party(name: &str) -> Result<PartyId, Fault> {
    name.parse().map_err(|_| Fault::malformed("a party's name"))
}

/// An operation key: a UUID of version 7 (RFC 9562), so that keys sort by the time when they were
/// drawn.
///
/// # Errors
/// A fault unless it is one.
pub fn operation(bytes: &[u8]) -> Result<[u8; 16], Fault> {
    let key = fixed(bytes, "the operation key")?;
    match uuid::Uuid::from_bytes(key).get_version_num() {
        7 => Ok(key),
        _ => Err(Fault::malformed("the operation key")),
    }
}

/// Bytes of a fixed length.
///
/// # Errors
/// A fault that names `what` unless there are exactly `N`.
pub fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], Fault> {
    bytes.try_into().map_err(|_| Fault::malformed(what))
}

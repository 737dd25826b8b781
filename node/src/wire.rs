//! Conversion between the wire's fields and domain types: a domain type or a typed refusal.

use bytes::Bytes;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::ManifestSignature;
use linkage_core::project::notice::{Kind, Notice};
use linkage_core::project::persons::Consent;
use linkage_core::project::receipt::SignedReceipt;
use linkage_proto::v1;

use crate::fault::Fault;

/// Bytes of a part of what is too long for one message: half of the least that a message may be
/// limited to.
const PART_BYTES: usize = 256 * 1024;

/// Parts of `whole`, in order, each short enough for a message.
pub fn parts(mut whole: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let next = whole.split_to(PART_BYTES.min(whole.len()));
        (!next.is_empty()).then_some(next)
    })
}

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

/// An owner's signature of a manifest, to be verified.
///
/// # Errors
/// A fault unless it is well-formed and of two persons.
pub fn manifest_signature(signature: v1::PartySignature) -> Result<ManifestSignature, Fault> {
    let certificate = |bytes: &[u8]| fixed::<32>(bytes, "a certificate's digest");
    Ok(ManifestSignature {
        party: party(&signature.party)?,
        consent: Consent::new(
            certificate(&signature.first)?,
            certificate(&signature.second)?,
        )?,
        signature: signature.signature.to_vec(),
    })
}

/// An owner's signature of a manifest as a message.
pub fn party_signature(signature: ManifestSignature) -> v1::PartySignature {
    v1::PartySignature {
        party: signature.party.to_string(),
        first: signature.consent.first().to_vec().into(),
        second: signature.consent.second().to_vec().into(),
        signature: signature.signature.into(),
    }
}

/// An owner's notice, to be verified.
///
/// # Errors
/// A fault unless it is well-formed.
pub fn notice(notice: v1::Notice) -> Result<Notice, Fault> {
    Ok(Notice {
        party: party(&notice.party)?,
        number: notice.number,
        kind: Kind::from_word(&notice.kind).ok_or_else(|| Fault::malformed("a notice's kind"))?,
        reason: notice.reason,
        signature: notice.signature.to_vec(),
    })
}

/// An owner's notice as a message.
pub fn notice_message(notice: Notice) -> v1::Notice {
    v1::Notice {
        party: notice.party.to_string(),
        number: notice.number,
        kind: notice.kind.as_str().to_owned(),
        reason: notice.reason,
        signature: notice.signature.into(),
    }
}

/// A node's receipt as a message.
pub fn receipt_message((node, receipt): (String, SignedReceipt)) -> v1::Receipt {
    v1::Receipt {
        node,
        receipt: receipt.bytes.into(),
        signature: receipt.signature.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_short_and_make_up_the_whole() {
        for length in [0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES] {
            let whole: Vec<u8> = (0_u8..=250).cycle().take(length).collect();
            let parts: Vec<Bytes> = parts(whole.clone().into()).collect();
            assert_eq!(parts.len(), length.div_ceil(PART_BYTES));
            assert!(parts.iter().all(|part| part.len() <= PART_BYTES));
            assert_eq!(parts.concat(), whole);
        }
    }
}

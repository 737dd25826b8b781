//! The keyed hash functions, behind one type.
//!
//! RFC 2104's HMAC with SHA-256 (FIPS 180-4) or SM3 (GB/T 32905-2016, in RFC 2104's construction as
//! GB/T 15852.2 has it). The states after the padded keys are kept, so that a short message costs
//! two compressions.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sm3::Sm3;

use crate::keys::Subkey;
use crate::schema::Suite;

/// Length of a tag in bytes, of either suite.
pub(super) const TAG_BYTES: usize = 32;

/// A keyed hash function with its key; wiped when dropped.
#[derive(Clone)]
pub(super) enum Mac {
    Sha256(Hmac<Sha256>),
    Sm3(Hmac<Sm3>),
}

impl Mac {
    pub(super) fn new(suite: Suite, key: &Subkey) -> Self {
        // A key shorter than a block is filled up with zeros (RFC 2104, section 2).
        let mut block = zeroize::Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(key.iter()) {
            *to = *from;
        }
        match suite {
            Suite::HmacSha256 => Self::Sha256(Hmac::new((&*block).into())),
            Suite::HmacSm3 => Self::Sm3(Hmac::new((&*block).into())),
        }
    }

    /// The tag of the parts, one after the other.
    pub(super) fn tag(&self, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        match self {
            Self::Sha256(keyed) => {
                let mut mac = keyed.clone();
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().into()
            }
            Self::Sm3(keyed) => {
                let mut mac = keyed.clone();
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sm3::Digest as _;
    use zeroize::Zeroizing;

    use super::*;

    fn tag(suite: Suite, key: [u8; 32], parts: &[&[u8]]) -> String {
        hex::encode(Mac::new(suite, &Zeroizing::new(key)).tag(parts))
    }

    /// GB/T 32905-2016, appendix A.1 and A.2.
    #[test]
    fn sm3_gives_the_standards_digests() {
        assert_eq!(
            hex::encode(Sm3::digest(b"abc")),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
        assert_eq!(
            hex::encode(Sm3::digest(b"abcd".repeat(16))),
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
        );
    }

    fn counted() -> [u8; 32] {
        std::array::from_fn(|i| u8::try_from(i + 1).unwrap())
    }

    /// Tags that OpenSSL 3.0 gives: `openssl dgst -sm3 -mac HMAC -macopt hexkey:0102..20`.
    #[test]
    fn tags_are_those_of_other_implementations() {
        let message = b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno";
        assert_eq!(
            tag(Suite::HmacSm3, counted(), &[message]),
            "0dcece9acc421ec49da2462a310ad60e1096364c06b0cccc958c93c5eb64369d"
        );
        assert_eq!(
            tag(Suite::HmacSm3, [0xa5; 32], &[b"abc"]),
            "f890226c5df267cad2fea09fc9d2754abd7fab08585edaec952426c19ba7b510"
        );
        let ring = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &counted());
        assert_eq!(
            tag(Suite::HmacSha256, counted(), &[message]),
            hex::encode(ring::hmac::sign(&ring, message))
        );
    }

    #[test]
    fn parts_are_one_message() {
        for suite in [Suite::HmacSha256, Suite::HmacSm3] {
            assert_eq!(
                tag(suite, [1; 32], &[b"ab", b"", b"c"]),
                tag(suite, [1; 32], &[b"abc"])
            );
        }
    }
}

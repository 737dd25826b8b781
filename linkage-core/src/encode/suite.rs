//! The keyed hash functions, behind one type.
//!
//! RFC 2104's HMAC with SHA-256 (FIPS 180-4) or SM3 (GB/T 32905-2016, in RFC 2104's construction as
//! GB/T 15852.2 has it). The states after the padded keys are kept, so that a short message costs
//! two compressions. With SHA-256, where the processor's own instructions make a compression
//! cheaper than the handling of contexts, the construction is written out over the compression
//! function: a record has some twenty tags.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::block_api::compress256;
use sm3::Sm3;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::Subkey;
use crate::schema::Suite;

/// Length of a tag in bytes, of either suite.
pub(super) const TAG_BYTES: usize = 32;

/// Block length of both hash functions.
const BLOCK_BYTES: usize = 64;

/// Bytes of the message's length at the end of SHA-256's last block.
const LENGTH_BYTES: usize = 8;

/// What follows a message: a bit 1 and zeros.
const END: u8 = 0x80;

/// A keyed hash function with its key; wiped when dropped.
#[derive(Clone)]
pub(super) enum Mac {
    Sha256(HmacSha256),
    Sm3(Hmac<Sm3>),
}

impl Mac {
    pub(super) fn new(suite: Suite, key: &Subkey) -> Self {
        // A key shorter than a block is filled up with zeros (RFC 2104, section 2).
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        for (to, from) in block.iter_mut().zip(key.iter()) {
            *to = *from;
        }
        match suite {
            Suite::HmacSha256 => Self::Sha256(HmacSha256::new(&block)),
            Suite::HmacSm3 => Self::Sm3(Hmac::new((&*block).into())),
        }
    }

    /// The tag of the parts, one after the other.
    pub(super) fn tag<'m>(&self, parts: impl IntoIterator<Item = &'m [u8]>) -> [u8; TAG_BYTES] {
        match self {
            Self::Sha256(keyed) => keyed.tag(parts),
            Self::Sm3(keyed) => {
                let mut mac = keyed.clone();
                parts.into_iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().into()
            }
        }
    }
}

/// HMAC-SHA-256: the hash's states after the inner and the outer key block.
#[derive(Clone)]
pub(super) struct HmacSha256 {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Drop for HmacSha256 {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl HmacSha256 {
    /// FIPS 180-4, section 5.3.3.
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    fn new(key: &[u8; BLOCK_BYTES]) -> Self {
        let after = |pad: u8| {
            let mut state = Self::INITIAL;
            let block = Zeroizing::new(key.map(|byte| byte ^ pad));
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        };
        Self {
            inner: after(0x36),
            outer: after(0x5c),
        }
    }

    fn tag<'m>(&self, parts: impl IntoIterator<Item = &'m [u8]>) -> [u8; TAG_BYTES] {
        let inner = sha256_after_block(self.inner, parts);
        // The inner digest fits into a block, with what ends a message.
        let mut block = [0; BLOCK_BYTES];
        put_words(&inner, &mut block);
        if let Some(end) = block.get_mut(TAG_BYTES) {
            *end = END;
        }
        if let Some(last) = block.last_chunk_mut::<LENGTH_BYTES>() {
            *last = (8 * (BLOCK_BYTES + TAG_BYTES) as u64).to_be_bytes();
        }
        let mut outer = self.outer;
        compress256(&mut outer, &[block]);
        let mut tag = [0; TAG_BYTES];
        put_words(&outer, &mut tag);
        tag
    }
}

/// Writes the words of a state, big-endian.
#[inline]
fn put_words(state: &[u32; 8], to: &mut [u8]) {
    for (bytes, word) in to.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
}

/// State of SHA-256 after `parts` from `state`, which has taken one block. The message is followed
/// by a bit 1, zeros to the end of a block, and its length in bits (FIPS 180-4, section 5.1.1).
#[inline]
fn sha256_after_block<'m>(
    mut state: [u32; 8],
    parts: impl IntoIterator<Item = &'m [u8]>,
) -> [u32; 8] {
    let mut block = [0; BLOCK_BYTES];
    let mut used = 0;
    let mut length = BLOCK_BYTES;
    for mut part in parts {
        length += part.len();
        while !part.is_empty() {
            let (now, later) = part.split_at(part.len().min(BLOCK_BYTES - used));
            if let Some(room) = block.get_mut(used..used + now.len()) {
                room.copy_from_slice(now);
            }
            used += now.len();
            part = later;
            if used == BLOCK_BYTES {
                compress256(&mut state, &[block]);
                block = [0; BLOCK_BYTES];
                used = 0;
            }
        }
    }
    if let Some(end) = block.get_mut(used) {
        *end = END;
    }
    if used + 1 > BLOCK_BYTES - LENGTH_BYTES {
        compress256(&mut state, &[block]);
        block = [0; BLOCK_BYTES];
    }
    if let Some(last) = block.last_chunk_mut::<LENGTH_BYTES>() {
        *last = (length as u64 * 8).to_be_bytes();
    }
    compress256(&mut state, &[block]);
    state
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sm3::Digest as _;

    use super::*;

    fn tag(suite: Suite, key: [u8; 32], parts: &[&[u8]]) -> String {
        hex::encode(Mac::new(suite, &Zeroizing::new(key)).tag(parts.iter().copied()))
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
    }

    proptest! {
        #[test]
        fn sha256_tags_are_those_of_ring(
            key in any::<[u8; 32]>(),
            message in prop::collection::vec(any::<u8>(), 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let ring = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
            let (head, tail) = message.split_at(cut.index(message.len() + 1));
            prop_assert_eq!(
                tag(Suite::HmacSha256, key, &[head, tail]),
                hex::encode(ring::hmac::sign(&ring, &message))
            );
        }
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

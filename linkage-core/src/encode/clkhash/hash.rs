//! Tokens to bit indices.

use blake2::Blake2bMac512;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use ring::hmac as ring_hmac;

use super::keys::FeatureKeys;
use super::schema::Hash;

/// Longest key of BLAKE2b, in bytes (RFC 7693, section 2.1).
pub(super) const BLAKE_KEY_BYTES_MAX: usize = 64;

/// Indices in one BLAKE2b digest: 64 bytes in numbers of 16 bits.
const PER_DIGEST: u32 = 32;

/// Digests whose keyed start is kept ready; 256 indices are more than a token sets in practice.
const READY_DIGESTS: u32 = 8;

/// The hash functions of one feature, under its keys.
pub(super) enum Hasher {
    /// 16-bit pieces of keyed BLAKE2b digests (RFC 7693), one salt for each digest.
    Blake {
        key: zeroize::Zeroizing<Vec<u8>>,
        ready: Vec<Blake2bMac512>,
    },
    /// `g + i d` of HMAC-SHA1 and HMAC-MD5 (RFC 2104).
    Double(Box<Double>),
}

pub(super) struct Double {
    sha1: ring_hmac::Key,
    md5: Hmac<Md5>,
    prevent_singularity: bool,
}

/// BLAKE2b or HMAC does not take a key of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash function takes no key of this size")]
pub struct KeyLength;

impl Hasher {
    pub(super) fn new(hash: Hash, keys: FeatureKeys) -> Result<Self, KeyLength> {
        match hash {
            Hash::Blake => {
                let key = keys.first;
                let ready = (0..READY_DIGESTS).map(|number| salted(&key, number));
                let ready = ready.collect::<Result<_, _>>()?;
                Ok(Self::Blake { key, ready })
            }
            Hash::Double {
                prevent_singularity,
            } => Ok(Self::Double(Box::new(Double {
                sha1: ring_hmac::Key::new(ring_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &keys.first),
                md5: Hmac::new_from_slice(&keys.second).map_err(|_| KeyLength)?,
                prevent_singularity,
            }))),
        }
    }

    /// Gives the first `count` indices of a token in a filter of `bits` bits.
    pub(super) fn indices(&self, token: &[u8], count: u32, bits: u32, mut found: impl FnMut(u32)) {
        match self {
            Self::Blake { key, ready } => {
                for number in 0..count.div_ceil(PER_DIGEST) {
                    let mac = ready
                        .get(number as usize)
                        .cloned()
                        .map_or_else(|| salted(key, number).ok(), Some);
                    // The key's length was accepted before.
                    let Some(mac) = mac else { return };
                    let digest = mac.chain_update(token).finalize().into_bytes();
                    let left = (count - number * PER_DIGEST) as usize;
                    for pair in digest.chunks_exact(2).take(left) {
                        let &[low, high] = pair else { continue };
                        found(u32::from(u16::from_le_bytes([low, high])) % bits);
                    }
                }
            }
            Self::Double(double) => {
                let first = remainder(ring_hmac::sign(&double.sha1, token).as_ref(), bits);
                let step = double.step(token, bits);
                let bits = u64::from(bits);
                for time in 0..u64::from(count) {
                    // Below `bits`, which is a 32-bit number.
                    found(((u64::from(first) + time * u64::from(step)) % bits) as u32);
                }
            }
        }
    }
}

/// BLAKE2b under the key and with a digest's salt: its number in ASCII, zeros after it.
fn salted(key: &[u8], number: u32) -> Result<Blake2bMac512, KeyLength> {
    if key.len() > BLAKE_KEY_BYTES_MAX {
        return Err(KeyLength);
    }
    let salt = number.to_string();
    Blake2bMac512::new_with_salt_and_personal(Some(key), salt.as_bytes(), &[])
        .map_err(|_| KeyLength)
}

impl Double {
    fn step(&self, token: &[u8], bits: u32) -> u32 {
        let mac = self.md5.clone().chain_update(token);
        let mut step = remainder(&mac.clone().finalize().into_bytes(), bits);
        if !self.prevent_singularity || bits == 1 {
            // In a filter of one bit every step is 0.
            return step;
        }
        for suffix in '\0'..=char::MAX {
            if step != 0 {
                break;
            }
            let mut utf8 = [0; 4];
            let longer = mac.clone().chain_update(suffix.encode_utf8(&mut utf8));
            step = remainder(&longer.finalize().into_bytes(), bits);
        }
        step
    }
}

/// A big-endian number modulo a small one.
fn remainder(number: &[u8], modulus: u32) -> u32 {
    let modulus = u64::from(modulus);
    let fold = |left: u64, byte: &u8| (left << 8 | u64::from(*byte)) % modulus;
    // Below the modulus, which is a 32-bit number.
    number.iter().fold(0, fold) as u32
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn keys() -> FeatureKeys {
        FeatureKeys {
            first: Zeroizing::new(vec![1; 64]),
            second: Zeroizing::new(vec![2; 64]),
        }
    }

    fn indices(hasher: &Hasher, token: &[u8], count: u32, bits: u32) -> Vec<u32> {
        let mut found = vec![];
        hasher.indices(token, count, bits, |index| found.push(index));
        found
    }

    #[test]
    fn rule_9_more_indices_keep_those_before() {
        let hasher = Hasher::new(Hash::Blake, keys()).unwrap();
        // Beyond the digests that are kept ready.
        let many = indices(&hasher, b"ab", 300, 1 << 20);
        assert_eq!(many.len(), 300);
        assert!(many.iter().all(|index| *index < 65_536));
        assert_eq!(indices(&hasher, b"ab", 33, 1 << 20), many[..33]);
        let folded: Vec<u32> = many.iter().map(|index| index % 512).collect();
        assert_eq!(indices(&hasher, b"ab", 300, 512), folded);
    }

    #[test]
    fn rule_9_keys_of_more_than_64_bytes_are_refused() {
        let keys = FeatureKeys {
            first: Zeroizing::new(vec![1; 65]),
            ..keys()
        };
        assert_eq!(Hasher::new(Hash::Blake, keys).err(), Some(KeyLength));
    }

    #[test]
    fn rule_10_a_step_of_zero_is_replaced_on_request() {
        let hasher = |prevent_singularity| {
            let hash = Hash::Double {
                prevent_singularity,
            };
            Hasher::new(hash, keys()).unwrap()
        };
        let (plain, prevented) = (hasher(false), hasher(true));
        let singular = (0_u32..).map(|n| n.to_string()).find(|token| {
            let found = indices(&plain, token.as_bytes(), 2, 8);
            found[0] == found[1]
        });
        let singular = singular.unwrap();
        let found = indices(&prevented, singular.as_bytes(), 2, 8);
        assert_ne!(found[0], found[1]);
        assert_eq!(indices(&prevented, b"x", 3, 1), [0, 0, 0]);
    }

    #[test]
    fn remainders_of_long_numbers() {
        assert_eq!(remainder(&[1, 0], 1000), 256);
        assert_eq!(remainder(&[0xff; 20], 1024), 1023);
        // 2^160 - 1 modulo 7: 2^160 = 2^(3 x 53 + 1) leaves 2.
        assert_eq!(remainder(&[0xff; 20], 7), 1);
    }
}

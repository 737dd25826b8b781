//! Keys from the secret: HKDF (RFC 5869), two keys for every feature, ignored ones too.

use std::fmt;

use ring::hkdf;
use zeroize::Zeroizing;

use super::schema::{Kdf, KdfHash};

/// Longest secret, in bytes; any text that people agree on is far shorter.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Why a secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no bytes.
    #[error("the secret is empty: anyone could encode with it")]
    Empty,
    /// More than [`SECRET_BYTES_MAX`].
    #[error("a secret has at most {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// HKDF gives no more than 255 times its hash's length.
    #[error("HKDF has not enough key material for so many features of that key size")]
    Material,
}

/// The secret that all parties share and whoever compares encodings must not have.
///
/// It prints nothing and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Secret {
    /// The secret with these bytes; a text's are its UTF-8.
    ///
    /// # Errors
    /// [`Error::Empty`] or [`Error::TooLong`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes);
        if bytes.is_empty() {
            return Err(Error::Empty);
        }
        if bytes.len() > SECRET_BYTES_MAX {
            return Err(Error::TooLong);
        }
        Ok(Self(bytes))
    }

    /// The keys of as many features.
    pub(super) fn keys(&self, kdf: &Kdf, features: usize) -> Result<Vec<FeatureKeys>, Error> {
        let algorithm = match kdf.hash {
            KdfHash::Sha256 => hkdf::HKDF_SHA256,
            KdfHash::Sha512 => hkdf::HKDF_SHA512,
        };
        let length = kdf.key_bytes.checked_mul(2).ok_or(Error::Material)?;
        let length = length.checked_mul(features).ok_or(Error::Material)?;
        let mut material = Zeroizing::new(vec![0; length]);
        hkdf::Salt::new(algorithm, &kdf.salt)
            .extract(&self.0)
            .expand(&[&kdf.info], Length(length))
            .and_then(|okm| okm.fill(&mut material))
            .map_err(|_| Error::Material)?;
        let mut blocks = material
            .chunks_exact(kdf.key_bytes)
            .map(|block| Zeroizing::new(block.to_vec()));
        let pairs = std::iter::from_fn(|| {
            let (first, second) = (blocks.next()?, blocks.next()?);
            Some(FeatureKeys { first, second })
        });
        Ok(pairs.collect())
    }
}

/// The keys of one feature.
pub(super) struct FeatureKeys {
    /// For BLAKE2b, or for HMAC-SHA1.
    pub(super) first: Zeroizing<Vec<u8>>,
    /// For HMAC-MD5.
    pub(super) second: Zeroizing<Vec<u8>>,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kdf() -> Kdf {
        Kdf {
            hash: KdfHash::Sha256,
            salt: vec![],
            info: vec![],
            key_bytes: 64,
        }
    }

    fn secret() -> Secret {
        Secret::new(b"s3cr3t".to_vec()).unwrap()
    }

    #[test]
    fn rule_1_and_2_keys_of_every_column_come_in_order() {
        let keys = secret().keys(&kdf(), 2).unwrap();
        let starts = |key: &[u8]| hex::encode(&key[..12]);
        assert_eq!(starts(&keys[0].first), "d7ee68af5ae6fc49e8cd3a87");
        assert_eq!(starts(&keys[0].second), "8ee5f28d1680929d2e46657f");
        assert_eq!(starts(&keys[1].first), "402cfc0561741d14b8123963");
        assert_eq!(starts(&keys[1].second), "e4f9c78c97828bb3467cd5fb");
        assert_eq!(keys.len(), 2);
    }

    #[test]
    fn rule_1_material_ends_at_255_digests() {
        assert_eq!(secret().keys(&kdf(), 63).unwrap().len(), 63);
        assert_eq!(secret().keys(&kdf(), 64).err(), Some(Error::Material));
        let sha512 = Kdf {
            hash: KdfHash::Sha512,
            ..kdf()
        };
        assert_eq!(secret().keys(&sha512, 127).unwrap().len(), 127);
        assert_eq!(secret().keys(&sha512, 128).err(), Some(Error::Material));
    }

    #[test]
    fn secrets_are_not_empty_and_print_nothing() {
        assert_eq!(Secret::new(vec![]).err(), Some(Error::Empty));
        let long = vec![1; SECRET_BYTES_MAX + 1];
        assert_eq!(Secret::new(long).err(), Some(Error::TooLong));
        assert_eq!(format!("{:?}", secret()), "Secret(redacted)");
    }
}

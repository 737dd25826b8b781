//! Sealing a contribution from one owner to another with HPKE (RFC 9180, base mode,
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305), so that the matcher that carries it
//! reads nothing. The info string binds project, sender and recipient: a message replayed to
//! another party or project does not open.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{Contribution, Error};
use crate::ids::{PartyId, ProjectId};

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Length of an encapsulated X25519 key.
const ENCAPSULATED_BYTES: usize = 32;

/// An owner's private key for sealed messages.
pub struct SealingKey {
    private: Private,
    public: Public,
}

/// An owner's public key for sealed messages; part of the manifest.
#[derive(Clone)]
pub struct SealingPublicKey(Public);

/// A sealed contribution: the encapsulated key, then the ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedReveal(pub Vec<u8>);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(redacted)")
    }
}

impl SealingKey {
    /// Draws a fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        let (private, public) = X25519HkdfSha256::derive_keypair(seed.as_slice());
        Self { private, public }
    }

    /// The key from its 32 stored bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they are not a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let private = Private::from_bytes(bytes).map_err(|_| Error::Malformed("sealing key"))?;
        let public = X25519HkdfSha256::sk_to_pk(&private);
        Ok(Self { private, public })
    }

    /// The bytes to store under the owner's own protection.
    pub fn expose(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.private.to_bytes().to_vec())
    }

    /// The public half.
    pub fn public(&self) -> SealingPublicKey {
        SealingPublicKey(self.public.clone())
    }

    /// Opens what `from` sealed to `to` (us) in `project`.
    ///
    /// # Errors
    /// [`Error::Sealed`] when it does not open, [`Error::Malformed`] when it holds no contribution.
    pub fn open(
        &self,
        project: &ProjectId,
        from: &PartyId,
        to: &PartyId,
        sealed: &SealedReveal,
    ) -> Result<Contribution, Error> {
        let (encapsulated, ciphertext) = sealed
            .0
            .split_at_checked(ENCAPSULATED_BYTES)
            .ok_or(Error::Sealed)?;
        let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| Error::Sealed)?;
        let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            &info(project, from, to),
            ciphertext,
            b"",
        )
        .map_err(|_| Error::Sealed)?;
        Contribution::from_reveal(&Zeroizing::new(plain))
    }
}

impl SealingPublicKey {
    /// The key from its 32 bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they are not a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Public::from_bytes(bytes)
            .map(Self)
            .map_err(|_| Error::Malformed("sealing public key"))
    }

    /// The key's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes().to_vec()
    }

    /// Seals `contribution` of `from` to `to`, the holder of this key.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the public key is unusable.
    pub fn seal(
        &self,
        project: &ProjectId,
        from: &PartyId,
        to: &PartyId,
        contribution: &Contribution,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedReveal, Error> {
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &self.0,
                &info(project, from, to),
                contribution.reveal().as_slice(),
                b"",
                rng,
            )
            .map_err(|_| Error::Malformed("sealing public key"))?;
        let mut sealed = encapsulated.to_bytes().to_vec();
        sealed.extend_from_slice(&ciphertext);
        Ok(SealedReveal(sealed))
    }
}

fn info(project: &ProjectId, from: &PartyId, to: &PartyId) -> Vec<u8> {
    // Party names have no NUL, so the fields cannot run into each other.
    let mut info = b"linkage/sealed-contribution/v1\0".to_vec();
    info.extend_from_slice(project.as_bytes());
    info.extend_from_slice(from.as_str().as_bytes());
    info.push(0);
    info.extend_from_slice(to.as_str().as_bytes());
    info
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn party(name: &str) -> PartyId {
        name.parse().unwrap()
    }

    #[test]
    fn opens_for_the_recipient_of_the_same_project_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let key = SealingKey::generate(&mut rng);
        let (a, b, c) = (party("a"), party("b"), party("c"));
        let project = ProjectId::of_manifest(b"p");
        let contribution = Contribution::draw(&mut rng);
        let sealed = key
            .public()
            .seal(&project, &a, &b, &contribution, &mut rng)
            .unwrap();
        let restored = SealingKey::from_bytes(&key.expose()).unwrap();
        let opened = restored.open(&project, &a, &b, &sealed).unwrap();
        assert_eq!(*opened.reveal(), *contribution.reveal());
        assert!(restored.open(&project, &c, &b, &sealed).is_err());
        assert!(restored.open(&project, &a, &c, &sealed).is_err());
        assert!(
            restored
                .open(&ProjectId::of_manifest(b"q"), &a, &b, &sealed)
                .is_err()
        );
        assert!(
            SealingKey::generate(&mut rng)
                .open(&project, &a, &b, &sealed)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn altered_or_arbitrary_bytes_do_not_open(at in 0_usize..128, bit in 0_u8..8, cut in 0_usize..128) {
            let mut rng = ChaCha20Rng::seed_from_u64(4);
            let key = SealingKey::generate(&mut rng);
            let project = ProjectId::of_manifest(b"p");
            let (a, b) = (party("a"), party("b"));
            let contribution = Contribution::draw(&mut rng);
            let sealed = key.public().seal(&project, &a, &b, &contribution, &mut rng).unwrap().0;
            let mut flipped = sealed.clone();
            let at = at % flipped.len();
            flipped[at] ^= 1 << bit;
            // The top bit of an X25519 key is ignored by RFC 7748, yet bound by the key schedule.
            prop_assert!(key.open(&project, &a, &b, &SealedReveal(flipped)).is_err());
            let cut = cut % sealed.len();
            prop_assert!(key.open(&project, &a, &b, &SealedReveal(sealed[..cut].to_vec())).is_err());
        }
    }
}

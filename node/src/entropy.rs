//! Randomness: a generator seeded from the operating system for one act.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// The operating system gave no randomness; nothing secret can be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoEntropy;

/// A fresh cryptographic generator.
///
/// # Errors
/// [`NoEntropy`].
pub fn generator() -> Result<ChaCha20Rng, NoEntropy> {
    Ok(ChaCha20Rng::from_seed(*secret()?))
}

/// 32 fresh random bytes.
///
/// # Errors
/// [`NoEntropy`].
pub fn secret() -> Result<Zeroizing<[u8; 32]>, NoEntropy> {
    let mut seed = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(seed.as_mut_slice())
        .map_err(|_| NoEntropy)?;
    Ok(seed)
}

/// 16 fresh random bytes, to name something.
///
/// # Errors
/// [`NoEntropy`].
pub fn name() -> Result<[u8; 16], NoEntropy> {
    let mut name = [0; 16];
    SystemRandom::new().fill(&mut name).map_err(|_| NoEntropy)?;
    Ok(name)
}

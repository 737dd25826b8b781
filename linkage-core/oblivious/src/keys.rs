//! A's keys for one table: one secret key per encrypted vector, mostly a row, and the
//! public key B re-randomises with.
//!
//! All keys share their masks (multi-secret ring-LWE as in Peikert, Vaikuntanathan and Waters,
//! CRYPTO 2008): per chunk one polynomial `a`, and per vector `b_v = a * s_v + e_v + m_v`. That is
//! as hard as ring-LWE by a hybrid over the vectors, as long as no key ever meets one mask twice;
//! so keys live for one table.

use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::context::RunContext;
use crate::params::Parameters;
use crate::polynomial::{
    BinaryPolynomial, Generator, add_errors, expand_mask, generator, secret_generator,
};
use crate::wire::{self, Kind};

/// One fresh secret key per vector.
pub(crate) fn sample_secret_keys(
    context: &RunContext,
    rng: &mut impl CryptoRng,
) -> Vec<BinaryPolynomial> {
    let mut source = secret_generator(rng);
    (0..context.shape().vectors())
        .map(|_| BinaryPolynomial::sample(context.parameters(), &mut source))
        .collect()
}

/// Encryptions of zero, one per key, under a common mask.
pub(crate) struct PublicKey {
    parameters: &'static Parameters,
    mask: Vec<u64>,
    bodies: Vec<Vec<u64>>,
}

impl PublicKey {
    pub(crate) fn new(
        context: &RunContext,
        keys: &[BinaryPolynomial],
        rng: &mut impl CryptoRng,
    ) -> Self {
        let parameters = context.parameters();
        let mask = expand_mask(parameters, context.public_key_mask_seed());
        let mut errors = secret_generator(rng);
        let bodies = keys
            .iter()
            .map(|key| {
                let mut body = key.times(&mask);
                add_errors(parameters, &mut errors, &mut body);
                body.to_vec()
            })
            .collect();
        Self {
            parameters,
            mask,
            bodies,
        }
    }

    /// The bodies; the reader derives the mask from the joint seed, so A can't choose it.
    pub(crate) fn encode(&self, context: &RunContext) -> Vec<u8> {
        context
            .envelope()
            .seal(Kind::PublicKey, payload_bytes(context), |payload| {
                wire::write_words(payload, self.bodies.iter().flatten());
            })
    }

    pub(crate) fn decode(context: &RunContext, message: &[u8]) -> Result<Self, wire::Error> {
        let parameters = context.parameters();
        let bytes = payload_bytes(context);
        let payload = context.envelope().unseal(Kind::PublicKey, bytes, message)?;
        let bodies = payload
            .chunks_exact(8 * parameters.polynomial_size)
            .map(|body| wire::read_words(body).collect())
            .collect();
        Ok(Self {
            parameters,
            mask: expand_mask(parameters, context.public_key_mask_seed()),
            bodies,
        })
    }

    /// Fresh encryption of zero under every key: its mask, and coefficient N-1 of each body.
    ///
    /// With binary `u` and errors `e'`, `e''`: mask `a * u + e'`, bodies `b_c * u + e''_c`, whose
    /// phases are `e_c * u + e''_c - e' * s_c` (Lyubashevsky, Peikert and Regev, EUROCRYPT 2010).
    pub(crate) fn encrypt_zero(&self, seed: [u8; 16]) -> ZeroEncryption {
        let mut source: Generator = generator(seed);
        let blind = BinaryPolynomial::sample(self.parameters, &mut source);
        let mut mask = blind.times(&self.mask);
        add_errors(self.parameters, &mut source, &mut mask);
        let tops = self.bodies.iter().map(|body| blind.top_of_product(body));
        let mut bodies = Zeroizing::new(tops.collect::<Vec<_>>());
        add_errors(self.parameters, &mut source, &mut bodies);
        ZeroEncryption { mask, bodies }
    }
}

fn payload_bytes(context: &RunContext) -> usize {
    8 * context.parameters().polynomial_size * context.shape().vectors()
}

/// An encryption of zero, cut down to what one sum of B's needs.
pub(crate) struct ZeroEncryption {
    pub(crate) mask: Zeroizing<Vec<u64>>,
    pub(crate) bodies: Zeroizing<Vec<u64>>,
}

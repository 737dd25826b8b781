//! Exact arithmetic in `Z[X] / (X^N + 1)` modulo 2^64, and sampling.
//!
//! Nothing here rounds: the products are number-theoretic transforms or sums of rotations, so
//! results are the same bits on every machine.

use rand::CryptoRng;
use tfhe::core_crypto::algorithms::slice_algorithms::slice_binary_semi_reverse_negacyclic_convolution;
use tfhe::core_crypto::commons::math::random::{
    DefaultRandomGenerator, RandomGenerator, Seed, TUniform,
};
use tfhe_ntt::native64::Plan32;
use zeroize::Zeroizing;

use crate::context::SEED_BYTES;
use crate::params::Parameters;

/// tfhe's AES-CTR generator, the one that expands the masks of its seeded ciphertexts.
pub(crate) type Generator = RandomGenerator<DefaultRandomGenerator>;

/// A generator with a public or secret seed.
pub(crate) fn generator(seed: [u8; SEED_BYTES]) -> Generator {
    Generator::new(Seed(u128::from_le_bytes(seed)))
}

/// A generator with a secret seed drawn from `rng`.
pub(crate) fn secret_generator(rng: &mut impl CryptoRng) -> Generator {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    rng.fill_bytes(seed.as_mut_slice());
    generator(*seed)
}

/// The uniform polynomial that a public seed stands for.
pub(crate) fn expand_mask(parameters: &Parameters, seed: [u8; SEED_BYTES]) -> Vec<u64> {
    let mut mask = vec![0; parameters.polynomial_size];
    generator(seed).fill_slice_with_random_uniform(&mut mask);
    mask
}

/// Adds a fresh encryption error to every coefficient.
pub(crate) fn add_errors(
    parameters: &Parameters,
    generator: &mut Generator,
    coefficients: &mut [u64],
) {
    generator.unsigned_integer_slice_wrapping_add_random_from_distribution_assign(
        coefficients,
        TUniform::new(parameters.error_bound_log2),
    );
}

/// A secret polynomial with coefficients 0 and 1.
pub(crate) struct BinaryPolynomial {
    /// Coefficients from X^(N-1) down to X^0: both products below read them in this order.
    reversed: Zeroizing<Vec<u64>>,
}

impl BinaryPolynomial {
    pub(crate) fn sample(parameters: &Parameters, generator: &mut Generator) -> Self {
        let mut reversed = Zeroizing::new(vec![0; parameters.polynomial_size]);
        generator.fill_slice_with_random_uniform_binary_bits(&mut reversed);
        Self { reversed }
    }

    /// `self * other`, by tfhe's transform for binary right-hand sides, which reverses them.
    pub(crate) fn times(&self, other: &[u64]) -> Zeroizing<Vec<u64>> {
        let mut product = Zeroizing::new(vec![0; self.reversed.len()]);
        slice_binary_semi_reverse_negacyclic_convolution(&mut product, other, &self.reversed);
        product
    }

    /// Coefficient N-1 of `self * other`: the only one where no index wraps.
    pub(crate) fn top_of_product(&self, other: &[u64]) -> u64 {
        self.reversed
            .iter()
            .zip(other)
            .fold(0, |sum: u64, (bit, value)| {
                sum.wrapping_add(bit.wrapping_mul(*value))
            })
    }
}

/// Coefficients that are summed at a time; divides every polynomial size.
const BLOCK: usize = 16;

/// A public polynomial `a`, laid out so that `a * X^(N-1-j)` is one contiguous slice.
pub(crate) struct Rotations {
    /// `-a` followed by `a`.
    doubled: Vec<u64>,
}

impl Rotations {
    pub(crate) fn new(mask: &[u64]) -> Self {
        let negated = mask.iter().map(|value| value.wrapping_neg());
        Self {
            doubled: negated.chain(mask.iter().copied()).collect(),
        }
    }

    /// Adds `a * X^(N-1-slot)` to `sum` for every slot.
    ///
    /// Sums a few coefficients at a time over all slots, so that they stay in registers.
    ///
    /// Coefficient t of `a * X^k` is `a[t-k]`, or `-a[t-k+N]` below k: element `N-k+t` of the
    /// doubled layout, and `N-k = slot+1`.
    pub(crate) fn add_to(&self, slots: &[usize], sum: &mut [u64]) {
        let (blocks, _) = sum.as_chunks_mut::<BLOCK>();
        for (block, totals) in blocks.iter_mut().enumerate() {
            let doubled = self.doubled.get(1 + block * BLOCK..).unwrap_or_default();
            let mut registers = *totals;
            for slot in slots {
                let values = doubled.get(*slot..).and_then(<[u64]>::first_chunk);
                let values: &[u64; BLOCK] = values.unwrap_or(&[0; BLOCK]);
                for (total, value) in registers.iter_mut().zip(values) {
                    *total = total.wrapping_add(*value);
                }
            }
            *totals = registers;
        }
    }
}

/// Exact products modulo 2^64 of polynomials with any coefficients.
pub(crate) struct Products(Plan32);

impl Products {
    #[allow(
        clippy::expect_used,
        reason = "the transform exists for the polynomial sizes of this crate"
    )]
    pub(crate) fn new(parameters: &Parameters) -> Self {
        Self(Plan32::try_new(parameters.polynomial_size).expect("a power of two"))
    }

    /// Adds `mask * sum of weight * X^(N-1-slot)` over (slot, weight) to `sum`.
    pub(crate) fn add_to(&self, mask: &[u64], terms: &[(usize, u32)], sum: &mut [u64]) {
        let mut weights = Zeroizing::new(vec![0; mask.len()]);
        for (slot, weight) in terms {
            if let Some(place) = weights.iter_mut().nth_back(*slot) {
                *place = u64::from(*weight);
            }
        }
        let mut product = Zeroizing::new(vec![0; mask.len()]);
        self.0.negacyclic_polymul(&mut product, mask, &weights);
        for (total, value) in sum.iter_mut().zip(product.iter()) {
            *total = total.wrapping_add(*value);
        }
    }
}

#[cfg(test)]
impl BinaryPolynomial {
    /// Coefficients from X^0 up.
    pub(crate) fn coefficients(&self) -> Vec<u64> {
        self.reversed.iter().rev().copied().collect()
    }
}

/// Schoolbook product, the reference of this crate's tests and the tool of its attacks.
#[cfg(test)]
pub(crate) fn schoolbook(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0u64; a.len()];
    for (k, factor) in b.iter().enumerate().filter(|(_, factor)| **factor != 0) {
        let (wrapped, plain) = product.split_at_mut(k);
        for (total, value) in plain.iter_mut().zip(a) {
            *total = total.wrapping_add(value.wrapping_mul(*factor));
        }
        for (total, value) in wrapped.iter_mut().zip(&a[a.len() - k..]) {
            *total = total.wrapping_sub(value.wrapping_mul(*factor));
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Measure;

    const MEASURES: [Measure; 2] = [Measure::Count, Measure::Sum];

    #[test]
    fn the_transform_product_is_exact() {
        for measure in MEASURES {
            let parameters = measure.parameters();
            let size = parameters.polynomial_size;
            let mut source = generator([1; SEED_BYTES]);
            for round in 0..20 {
                let mask = match round {
                    0 => vec![u64::MAX; size],
                    1 => vec![1 << 63; size],
                    _ => expand_mask(parameters, [round; SEED_BYTES]),
                };
                let key = match round {
                    0 => BinaryPolynomial {
                        reversed: Zeroizing::new(vec![1; size]),
                    },
                    _ => BinaryPolynomial::sample(parameters, &mut source),
                };
                let expected = schoolbook(&mask, &key.coefficients());
                assert_eq!(*key.times(&mask), expected);
                assert_eq!(key.top_of_product(&mask), *expected.last().unwrap());
            }
        }
    }

    #[test]
    fn rotations_are_products_with_monomials() {
        for measure in MEASURES {
            let parameters = measure.parameters();
            let size = parameters.polynomial_size;
            let mask = expand_mask(parameters, [3; SEED_BYTES]);
            let rotations = Rotations::new(&mask);
            for slot in [0, 1, 1000, size - 2, size - 1] {
                let mut monomial = vec![0; size];
                monomial[size - 1 - slot] = 1;
                let mut sum = vec![5; size];
                rotations.add_to(&[slot], &mut sum);
                let product = schoolbook(&mask, &monomial);
                let expected: Vec<u64> = product.iter().map(|v| v.wrapping_add(5)).collect();
                assert_eq!(sum, expected);
            }
        }
    }

    #[test]
    fn products_are_exact() {
        for measure in MEASURES {
            let parameters = measure.parameters();
            let size = parameters.polynomial_size;
            let products = Products::new(parameters);
            let random = expand_mask(parameters, [5; SEED_BYTES]);
            let word = |slot: usize| (random[slot] >> 42) as u32;
            let cases = [
                (
                    random.clone(),
                    (0..size).map(|slot| (slot, word(slot))).collect(),
                ),
                (random.clone(), vec![(0, 1), (size - 1, u32::MAX)]),
                (
                    vec![u64::MAX; size],
                    (0..size).map(|slot| (slot, u32::MAX)).collect(),
                ),
                (
                    vec![1 << 63; size],
                    (0..size).map(|slot| (slot, u32::MAX)).collect(),
                ),
            ];
            for (mask, terms) in cases {
                let mut weights = vec![0; size];
                for (slot, weight) in &terms {
                    weights[size - 1 - slot] = u64::from(*weight);
                }
                let mut sum = vec![7; size];
                products.add_to(&mask, &terms, &mut sum);
                let product = schoolbook(&mask, &weights);
                let expected: Vec<u64> = product.iter().map(|v| v.wrapping_add(7)).collect();
                assert_eq!(sum, expected);
            }
        }
    }

    #[test]
    fn samples_have_the_stated_ranges() {
        for measure in MEASURES {
            let parameters = measure.parameters();
            let mut source = generator([4; SEED_BYTES]);
            let key = BinaryPolynomial::sample(parameters, &mut source);
            let ones: u64 = key.coefficients().iter().sum();
            let half = parameters.polynomial_size as u64 / 2;
            assert!(key.coefficients().iter().all(|bit| *bit <= 1));
            assert!((half - 124..half + 126).contains(&ones), "{ones}");

            let mut errors = vec![0; 100_000];
            add_errors(parameters, &mut source, &mut errors);
            let bound = 1i64 << parameters.error_bound_log2;
            let errors: Vec<i64> = errors
                .iter()
                .map(|error: &u64| error.cast_signed())
                .collect();
            assert!(errors.iter().all(|error| (-bound..=bound).contains(error)));
            assert!(errors.iter().any(|error| *error > bound - 100));
            assert!(errors.iter().any(|error| *error < 100 - bound));
        }
    }
}

//! Exact discrete Laplace noise.
//!
//! Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020
//! (arXiv:2004.00010), algorithms 1 and 2: only integers and fair random bits, no floating point,
//! whose rounding would break the guarantee (Mironov, CCS 2012). The running time depends on the
//! value drawn: a caller must not let an outsider time single draws.

use rand::CryptoRng;

use super::epsilon::Epsilon;

/// Scale t/s of a discrete Laplace distribution: P\[x\] is proportional to exp(-|x| s/t) over all
/// integers x. In lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaplaceScale {
    numerator: u128,
    denominator: u128,
}

/// Why a scale was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScaleError {
    /// Numerator or denominator is zero.
    #[error("a noise scale needs a numerator and a denominator above zero")]
    Zero,
    /// Numerator or denominator has more than [`LaplaceScale::BITS_MAX`] bits.
    #[error("a noise scale has parts of at most {} bits", LaplaceScale::BITS_MAX)]
    TooLarge,
    /// More than [`LaplaceScale::RESOLUTION_BITS_MAX`] bits below the unit were asked for.
    #[error(
        "a noise resolution has at most {} bits",
        LaplaceScale::RESOLUTION_BITS_MAX
    )]
    TooFine,
}

impl LaplaceScale {
    /// Parts of a scale stay below 2^80, so that a draw (numerator times a 32-bit geometric
    /// variable) can never leave 127 bits.
    pub const BITS_MAX: u32 = 80;

    /// Counts are carried with 40 bits below the unit; 48 leaves room and still keeps every scale
    /// that an [`Epsilon`] can give below [`LaplaceScale::BITS_MAX`] bits.
    pub const RESOLUTION_BITS_MAX: u32 = 48;

    /// The scale `numerator` / `denominator`.
    ///
    /// # Errors
    /// [`ScaleError`] if a part is zero or, in lowest terms, too large.
    pub fn new(numerator: u128, denominator: u128) -> Result<Self, ScaleError> {
        if numerator == 0 || denominator == 0 {
            return Err(ScaleError::Zero);
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        let scale = Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        };
        if (scale.numerator | scale.denominator) >> Self::BITS_MAX != 0 {
            return Err(ScaleError::TooLarge);
        }
        Ok(scale)
    }

    /// The scale that makes one count epsilon-differentially private when counts are carried as
    /// multiples of 2^-`resolution_bits`: sensitivity 2^`resolution_bits` over epsilon.
    ///
    /// One person lies in at most one cell, so adding or removing the person moves the whole table
    /// by one count; moving a person from one cell to another counts twice.
    ///
    /// # Errors
    /// [`ScaleError::TooFine`] above [`LaplaceScale::RESOLUTION_BITS_MAX`].
    pub fn for_count(epsilon: Epsilon, resolution_bits: u32) -> Result<Self, ScaleError> {
        if resolution_bits > Self::RESOLUTION_BITS_MAX {
            return Err(ScaleError::TooFine);
        }
        Self::new(1000 << resolution_bits, u128::from(epsilon.thousandths()))
    }

    /// Numerator t, in lowest terms.
    pub const fn numerator(self) -> u128 {
        self.numerator
    }

    /// Denominator s, in lowest terms.
    pub const fn denominator(self) -> u128 {
        self.denominator
    }

    /// One draw (algorithm 2 of the paper).
    pub fn sample<R: CryptoRng + ?Sized>(self, rng: &mut R) -> i128 {
        let Self {
            numerator,
            denominator,
        } = self;
        loop {
            let remainder = uniform_below(numerator, rng);
            if !bernoulli_exp(remainder, numerator, rng) {
                continue;
            }
            let mut quotient: u32 = 0;
            // The counter would need 2^32 successes of probability 1/e in a row to saturate.
            while bernoulli_exp(1, 1, rng) {
                quotient = quotient.saturating_add(1);
            }
            let magnitude = (remainder + numerator * u128::from(quotient)) / denominator;
            let is_negative = rng.next_u32() & 1 == 1;
            // Zero has one sign only, or it would come up twice as often as it should.
            if is_negative && magnitude == 0 {
                continue;
            }
            // magnitude < 2^(80+32+1), far inside i128.
            let magnitude = magnitude.cast_signed();
            return if is_negative { -magnitude } else { magnitude };
        }
    }
}

/// True with probability exp(-`numerator`/`denominator`), for a ratio from 0 to 1 (algorithm 1).
///
/// Draws Bernoulli(gamma/k) for k = 1, 2, ... until one fails; the series of exp(-gamma) is the
/// chance that the first failure comes at an odd k. Bernoulli(gamma/k) is drawn as
/// Bernoulli(1/k) and Bernoulli(gamma), which is exact and needs no larger integers.
fn bernoulli_exp<R: CryptoRng + ?Sized>(numerator: u128, denominator: u128, rng: &mut R) -> bool {
    let mut k: u128 = 1;
    while uniform_below(k, rng) == 0 && uniform_below(denominator, rng) < numerator {
        k += 1;
    }
    k % 2 == 1
}

/// Uniform over 0..`bound` by rejection; `bound` is at least 1.
fn uniform_below<R: CryptoRng + ?Sized>(bound: u128, rng: &mut R) -> u128 {
    let largest = bound - 1;
    if largest == 0 {
        return 0;
    }
    let mask = u128::MAX >> largest.leading_zeros();
    loop {
        let mut bits = u128::from(rng.next_u64());
        if mask > u128::from(u64::MAX) {
            bits |= u128::from(rng.next_u64()) << 64;
        }
        // The mask is below twice the bound, so at least every second draw is accepted.
        if bits & mask <= largest {
            return bits & mask;
        }
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn epsilon(text: &str) -> Epsilon {
        text.parse().unwrap()
    }

    /// P\[x\] = (e^(1/b) - 1) / (e^(1/b) + 1) * e^(-|x|/b).
    fn probability(x: i128, b: f64) -> f64 {
        let ratio = (1.0 / b).exp();
        (ratio - 1.0) / (ratio + 1.0) * (-(x.abs() as f64) / b).exp()
    }

    /// Var = 2 p / (1 - p)^2 with p = e^(-1/b).
    fn variance(b: f64) -> f64 {
        let p = (-1.0 / b).exp();
        2.0 * p / (1.0 - p).powi(2)
    }

    /// Pearson's statistic over -width..=width and the two tails, 2 width + 3 bins.
    fn chi_square(scale: LaplaceScale, width: i128, draws: u32, rng: &mut ChaCha20Rng) -> f64 {
        let b = scale.numerator() as f64 / scale.denominator() as f64;
        let bins = usize::try_from(2 * width + 3).unwrap();
        let mut seen = vec![0u32; bins];
        for _ in 0..draws {
            let bin = scale.sample(rng).clamp(-width - 1, width + 1) + width + 1;
            seen[usize::try_from(bin).unwrap()] += 1;
        }
        let inside: f64 = (-width..=width).map(|x| probability(x, b)).sum();
        (0..bins)
            .map(|bin| {
                let share = if bin == 0 || bin == bins - 1 {
                    (1.0 - inside) / 2.0
                } else {
                    probability(bin as i128 - width - 1, b)
                };
                let expected = share * f64::from(draws);
                (f64::from(seen[bin]) - expected).powi(2) / expected
            })
            .sum()
    }

    /// Upper quantile of chi-square at p = 1e-6 (z = 4.753), by Wilson and Hilferty's formula.
    fn critical_value(degrees: f64) -> f64 {
        let h = 2.0 / (9.0 * degrees);
        degrees * (1.0 - h + 4.753 * h.sqrt()).powi(3)
    }

    #[test]
    fn draws_follow_the_exact_probabilities() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for (numerator, denominator, width) in [
            (1, 1, 5),
            (1, 3, 1),
            (3, 1, 15),
            (5, 2, 12),
            (7, 3, 11),
            (10, 1, 40),
        ] {
            let scale = LaplaceScale::new(numerator, denominator).unwrap();
            let statistic = chi_square(scale, width, 100_000, &mut rng);
            let critical = critical_value((2 * width + 2) as f64);
            assert!(
                statistic < critical,
                "{numerator}/{denominator}: {statistic} >= {critical}"
            );
        }
    }

    /// The goodness-of-fit test must be able to fail: a scale 5 % off is caught.
    #[test]
    fn the_fit_notices_a_wrong_scale() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let drawn = LaplaceScale::new(21, 4).unwrap();
        let claimed = 5.0;
        let (draws, width) = (100_000u32, 20i128);
        let mut seen = [0u32; 41];
        for _ in 0..draws {
            let x = drawn.sample(&mut rng);
            if x.abs() <= width {
                seen[usize::try_from(x + width).unwrap()] += 1;
            }
        }
        let statistic: f64 = (0..41)
            .map(|bin| {
                let expected = probability(bin as i128 - width, claimed) * f64::from(draws);
                (f64::from(seen[bin]) - expected).powi(2) / expected
            })
            .sum();
        assert!(statistic > critical_value(41.0), "{statistic}");
    }

    #[test]
    fn mean_and_variance_are_those_of_the_distribution() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let draws = 40_000;
        for (numerator, denominator) in [(1u128, 2u128), (4, 1), (1000, 7), (1 << 40, 1)] {
            let scale = LaplaceScale::new(numerator, denominator).unwrap();
            let b = numerator as f64 / denominator as f64;
            let values: Vec<f64> = (0..draws).map(|_| scale.sample(&mut rng) as f64).collect();
            let mean = values.iter().sum::<f64>() / f64::from(draws);
            let measured =
                values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(draws);
            let expected = variance(b);
            // Five standard errors; the fourth moment of a Laplace variable is 6 variances squared.
            let standard_error = (expected / f64::from(draws)).sqrt();
            assert!(mean.abs() < 5.0 * standard_error, "mean {mean} at {b}");
            let tolerance = 5.0 * (8.0 / f64::from(draws)).sqrt();
            assert!(
                (measured / expected - 1.0).abs() < tolerance,
                "{measured} / {expected}"
            );
        }
    }

    #[test]
    fn huge_scales_are_drawn_at_full_resolution() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let scale = LaplaceScale::for_count(epsilon("0.5"), 40).unwrap();
        assert_eq!((scale.numerator(), scale.denominator()), (1 << 41, 1));
        let values: Vec<i128> = (0..2000).map(|_| scale.sample(&mut rng)).collect();
        let odd = values.iter().filter(|x| *x & 1 == 1).count();
        assert!(
            (850..1150).contains(&odd),
            "low bits are not uniform: {odd}"
        );
        assert!(values.iter().any(|x| x.abs() > 1 << 42));
        let largest = LaplaceScale::new((1 << LaplaceScale::BITS_MAX) - 1, 1).unwrap();
        assert!((0..100).any(|_| largest.sample(&mut rng).abs() > 1 << 78));
    }

    #[test]
    fn scale_limits_are_refused_by_name() {
        assert_eq!(LaplaceScale::new(0, 1), Err(ScaleError::Zero));
        assert_eq!(LaplaceScale::new(1, 0), Err(ScaleError::Zero));
        assert_eq!(LaplaceScale::new(1 << 80, 3), Err(ScaleError::TooLarge));
        assert_eq!(LaplaceScale::new(3, 1 << 80), Err(ScaleError::TooLarge));
        assert_eq!(
            LaplaceScale::for_count(epsilon("1"), 49),
            Err(ScaleError::TooFine)
        );
        for text in ["0.001", "0.007", "99.999", "100"] {
            assert!(LaplaceScale::for_count(epsilon(text), 48).is_ok(), "{text}");
        }
        assert_eq!(
            LaplaceScale::new(6 << 90, 4 << 90).unwrap(),
            LaplaceScale::new(3, 2).unwrap()
        );
    }

    #[test]
    fn uniform_draws_stay_below_and_reach_every_value() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        for bound in [1u128, 2, 3, 5, 64, 100] {
            let mut seen = vec![false; usize::try_from(bound).unwrap()];
            for _ in 0..bound * 60 {
                seen[usize::try_from(uniform_below(bound, &mut rng)).unwrap()] = true;
            }
            assert!(seen.iter().all(|&hit| hit), "{bound}");
        }
        let bound = (1 << 100) + 1;
        assert!((0..200).all(|_| uniform_below(bound, &mut rng) < bound));
        assert!((0..200).any(|_| uniform_below(bound, &mut rng) > 1 << 98));
    }
}

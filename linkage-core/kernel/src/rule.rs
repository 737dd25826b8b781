//! Measure and threshold as a test on integers.

use crate::error::Error;
use crate::rows::{BITS_MAX, BITS_MIN};

/// How alike two tokens a and b are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Dice's coefficient, 2 |a and b| / (|a| + |b|).
    Dice,
    /// Share of the token's bits on which the two agree.
    Hamming,
}

/// A measure with a threshold, for tokens of one length.
///
/// A pair is accepted if its [`Rule::score`], computed in doubles, is at least the threshold. Both
/// scores rise with |a and b| and depend besides on |a| + |b| only, and rounding keeps order, so
/// for every sum |a| + |b| there is a least intersection that is accepted. The rule holds these in
/// a table; what the doubles would say is thereby found exactly and without them. A token without a
/// set bit agrees with nothing.
#[derive(Debug, Clone)]
pub struct Rule {
    measure: Measure,
    threshold: f64,
    bits: u32,
    /// Least accepted intersection by |a| + |b|; never falls, and rises by at most one a step.
    needs: Vec<u32>,
    /// Largest Hamming distance accepted for any sum up to this one; negative = none.
    limits: Vec<i32>,
}

impl Rule {
    /// A rule for tokens of `bits` bits that accepts scores of `threshold` and more.
    ///
    /// # Errors
    ///
    /// [`Error::Bits`] for an impossible length, [`Error::Threshold`] for a threshold that is not
    /// in 0..=1.
    pub fn new(measure: Measure, threshold: f64, bits: u32) -> Result<Self, Error> {
        if !(BITS_MIN..=BITS_MAX).contains(&bits) {
            return Err(Error::Bits(bits));
        }
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Threshold(threshold));
        }
        let needs = match measure {
            Measure::Dice => dice_needs(threshold, bits),
            Measure::Hamming => hamming_needs(threshold, bits),
        };
        let mut most = i32::MIN;
        let limits = (0..)
            .zip(&needs)
            .map(|(sum, &need)| {
                most = most.max(sum - 2 * need.cast_signed());
                most
            })
            .collect();
        Ok(Self {
            measure,
            threshold,
            bits,
            needs,
            limits,
        })
    }

    /// The measure.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// The threshold.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Length of the tokens in bits.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Whether a pair with `intersection` common bits of `ones_a` and `ones_b` is accepted.
    #[inline]
    pub fn accepts(&self, intersection: u32, ones_a: u32, ones_b: u32) -> bool {
        let sum = ones_a.saturating_add(ones_b) as usize;
        ones_a > 0 && ones_b > 0 && intersection >= self.need(sum)
    }

    /// Agreement of a pair, in 0..=1; 0 where a token has no bit set.
    #[inline]
    pub fn score(&self, intersection: u32, ones_a: u32, ones_b: u32) -> f64 {
        if ones_a == 0 || ones_b == 0 {
            return 0.0;
        }
        let sum = f64::from(ones_a) + f64::from(ones_b);
        let common = 2.0 * f64::from(intersection);
        match self.measure {
            Measure::Dice => common / sum,
            Measure::Hamming => 1.0 - (sum - common) / f64::from(self.bits),
        }
    }

    /// Least accepted intersection where the two tokens have `sum` bits set together.
    #[inline]
    pub(crate) fn need(&self, sum: usize) -> u32 {
        self.needs.get(sum).copied().unwrap_or(u32::MAX)
    }

    /// Largest Hamming distance accepted where the two have at most `sum` bits set together.
    #[inline]
    pub(crate) fn limit(&self, sum: usize) -> i32 {
        self.limits.get(sum).copied().unwrap_or(i32::MAX)
    }

    /// Whether any two tokens with `p` and `q` bits set can be accepted.
    pub(crate) fn possible(&self, p: usize, q: usize) -> bool {
        p.min(q) >= self.need(p + q) as usize
    }
}

/// Least `i` with 2i/s >= t in doubles, for every sum s; at most s/2 rounded up, where 2i/s >= 1.
fn dice_needs(threshold: f64, bits: u32) -> Vec<u32> {
    let reaches = |i: u32, sum: u32| f64::from(2 * i) / f64::from(sum) >= threshold;
    let mut need = 0;
    let mut needs = vec![0];
    for sum in 1..=2 * bits {
        while need > 0 && reaches(need - 1, sum) {
            need -= 1;
        }
        while !reaches(need, sum) {
            need += 1;
        }
        needs.push(need);
    }
    needs
}

/// Least `i` with s - 2i <= d, where d is the largest distance with 1 - d/bits >= t in doubles.
fn hamming_needs(threshold: f64, bits: u32) -> Vec<u32> {
    let farthest = (0..=bits)
        .rev()
        .find(|&distance| 1.0 - f64::from(distance) / f64::from(bits) >= threshold)
        .unwrap_or(0);
    (0..=2 * bits)
        .map(|sum| sum.saturating_sub(farthest).div_ceil(2))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measure() -> impl Strategy<Value = Measure> {
        prop_oneof![Just(Measure::Dice), Just(Measure::Hamming)]
    }

    proptest! {
        #[test]
        fn the_integer_test_is_the_test_in_doubles(
            measure in measure(),
            threshold in prop_oneof![0.0..=1.0f64, (0..=20u32).prop_map(|n| f64::from(n) / 20.0)],
            bits in 8..=600u32,
            pairs in prop::collection::vec((0.0..=1.0f64, 0.0..=1.0f64, 0.0..=1.0f64), 50),
        ) {
            let rule = Rule::new(measure, threshold, bits).unwrap();
            for (x, y, z) in pairs {
                let (a, b) = ((x * f64::from(bits)) as u32, (y * f64::from(bits)) as u32);
                let least = (a + b).saturating_sub(bits);
                let i = least + (z * f64::from(a.min(b) - least)) as u32;
                let score = match measure {
                    Measure::Dice => (2 * i) as f64 / (a + b) as f64,
                    Measure::Hamming => 1.0 - (a + b - 2 * i) as f64 / bits as f64,
                };
                let expected = a > 0 && b > 0 && score >= threshold;
                prop_assert_eq!(rule.accepts(i, a, b), expected);
                if a > 0 && b > 0 {
                    prop_assert_eq!(rule.score(i, a, b), score);
                }
            }
        }

        #[test]
        fn needs_rise_by_at_most_one(
            measure in measure(), threshold in 0.0..=1.0f64, bits in 8..=2000u32,
        ) {
            let rule = Rule::new(measure, threshold, bits).unwrap();
            prop_assert!(rule.needs.windows(2).all(|w| w[0] <= w[1] && w[1] <= w[0] + 1));
        }
    }

    #[test]
    fn the_boundary_is_accepted() {
        // 2 * 80 / 200 is the double 0.8 exactly as written.
        let rule = Rule::new(Measure::Dice, 0.8, 512).unwrap();
        assert!(rule.accepts(80, 100, 100) && !rule.accepts(79, 100, 100));
        let rule = Rule::new(Measure::Hamming, 0.75, 512).unwrap();
        assert!(rule.accepts(36, 100, 100) && !rule.accepts(35, 100, 100));
    }

    #[test]
    fn impossible_rules_are_refused() {
        assert!(Rule::new(Measure::Dice, f64::NAN, 64).is_err());
        assert!(Rule::new(Measure::Dice, 1.01, 64).is_err());
        assert!(Rule::new(Measure::Dice, -0.1, 64).is_err());
        assert!(Rule::new(Measure::Dice, 0.5, 4).is_err());
    }
}

//! The one door out: a noised table goes in, a table that may be shown comes out.

use serde::Serialize;
use zeroize::Zeroizing;

use super::epsilon::Epsilon;

/// Standard deviations between the threshold k and the smallest noised count that is shown.
///
/// Comparing the *noised* count keeps the decision itself inside the guarantee, as it is computed
/// from the noised value alone; the distance keeps cells with fewer than k people from being lifted
/// over k by luck. The sum of two Laplace shares of scale b exceeds y b with probability
/// exp(-y) (2 + y) / 4: three standard deviations are y = 6, so at most 0.5 % of such cells pass.
/// One share exceeds it with probability exp(-y) / 2: y = 4.24, at most 0.8 %.
pub const MARGIN_IN_DEVIATIONS: u32 = 3;

/// One dimension of a table: whose attribute it is and the values in table order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Axis {
    /// The owner of the attribute.
    pub owner: String,
    /// The attribute.
    pub name: String,
    /// The attribute's values.
    pub labels: Vec<String>,
}

impl Axis {
    /// `owner.name`, as an analyst writes it.
    pub fn title(&self) -> String {
        format!("{}.{}", self.owner, self.name)
    }
}

/// Counts that carry the owners' noise but have not passed the threshold.
///
/// A noised small count is still close to the true small count, so nothing prints, serialises or
/// compares this type, and its cells are wiped when it is dropped. [`NoisedTable::release`] is the
/// only way to its content.
///
/// ```compile_fail
/// fn show(table: &linkage_core::disclosure::release::NoisedTable) -> String {
///     format!("{table:?}")
/// }
/// ```
pub struct NoisedTable {
    axes: Vec<Axis>,
    cells: Zeroizing<Vec<i64>>,
}

/// The number of cells does not fit the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} cells for a table of {expected}")]
pub struct ShapeError {
    /// Cells given.
    pub found: usize,
    /// Cells that the labels make.
    pub expected: usize,
}

impl NoisedTable {
    /// A table of noised counts, the last axis fastest.
    ///
    /// # Errors
    /// [`ShapeError`] if there is no cell, or not exactly one per combination of labels.
    pub fn new(axes: Vec<Axis>, cells: Vec<i64>) -> Result<Self, ShapeError> {
        let cells = Zeroizing::new(cells);
        let sizes = axes.iter().map(|axis| axis.labels.len());
        let expected = sizes.fold(1, usize::saturating_mul);
        if axes.is_empty() || cells.is_empty() || expected != cells.len() {
            return Err(ShapeError {
                found: cells.len(),
                expected,
            });
        }
        Ok(Self { axes, cells })
    }

    /// Applies the policy: cells below its threshold are suppressed, the rest are shown as noised.
    ///
    /// No totals are formed from suppressed cells, so no hidden cell follows from a visible sum.
    pub fn release(self, policy: &Policy) -> ReleasedTable {
        let threshold = policy.shown_min();
        let shown = |count: &i64| (*count >= threshold).then_some(*count);
        ReleasedTable {
            cells: self.cells.iter().map(shown).collect(),
            axes: self.axes,
            k: policy.k,
            shown_min: threshold,
            epsilon_per_owner: policy.epsilon_per_owner,
            owners: policy.owners,
            noise_sd: policy.noise_sd(),
            method: policy.method(),
        }
    }
}

/// How many owners a table is about; each adds a share of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Owners {
    /// One, who counts its own records.
    One,
    /// Two, who count joint records.
    Two,
}

impl Owners {
    /// The root of twice the number of shares, in thousandths, rounded up.
    const fn deviation_thousandths(self) -> u32 {
        match self {
            Self::One => 1415,
            Self::Two => 2000,
        }
    }
}

/// What the owners of a table agreed on for showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Smallest number of people a shown cell should stand for.
    pub k: u32,
    /// The epsilon for which *each* owner drew its noise share.
    pub epsilon_per_owner: Epsilon,
    /// Whose noise is in it.
    pub owners: Owners,
}

impl Policy {
    /// Standard deviation of the sum of the owners' noise shares, in people.
    ///
    /// A discrete Laplace share of scale b has variance 1 / (cosh(1/b) - 1), which is below 2 b^2
    /// at every resolution and tends to it as the resolution grows. With b = 1/epsilon, n
    /// independent shares stay below sqrt(2 n) / epsilon: the figure is never less than the truth.
    /// Rounding the finished sum to whole people adds at most 1/12 to the variance.
    pub fn noise_sd(&self) -> f64 {
        let deviation = f64::from(self.owners.deviation_thousandths());
        deviation / f64::from(self.epsilon_per_owner.thousandths())
    }

    /// Distance between k and the smallest noised count that is shown:
    /// [`MARGIN_IN_DEVIATIONS`] standard deviations, rounded up in integers. At least 1.
    pub fn margin(&self) -> u32 {
        let deviations = MARGIN_IN_DEVIATIONS * self.owners.deviation_thousandths();
        deviations.div_ceil(self.epsilon_per_owner.thousandths())
    }

    /// Smallest noised count that is shown: k plus the margin. At least 1, so that a negative or
    /// empty noised count is never shown.
    pub fn shown_min(&self) -> i64 {
        i64::from(self.k) + i64::from(self.margin())
    }

    fn method(&self) -> String {
        let who = match self.owners {
            Owners::One => "The owner",
            Owners::Two => "Each owner",
        };
        format!(
            "{who} added discrete Laplace noise for epsilon {epsilon} to every count before the \
             counts could be read; the noise in a cell has a standard deviation of {sd:.2}. A cell is \
             shown if its noised count is at least {shown_min} (k = {k} plus a margin of {margin}, three \
             standard deviations); the others are suppressed. Totals are not given, as they would \
             reveal suppressed cells.",
            epsilon = self.epsilon_per_owner,
            sd = self.noise_sd(),
            shown_min = self.shown_min(),
            k = self.k,
            margin = self.margin(),
        )
    }
}

/// A table that may be shown: noised, thresholded, with its method.
///
/// Only [`NoisedTable::release`] makes one. It cannot be put together from parts:
///
/// ```compile_fail
/// use linkage_core::disclosure::release::{Axis, ReleasedTable};
///
/// let axis = Axis { owner: "tax".into(), name: "band".into(), labels: vec!["low".into()] };
/// let forged = ReleasedTable {
///     axes: vec![axis],
///     cells: vec![Some(3)],
///     ..todo!()
/// };
/// ```
///
/// nor read back from a file:
///
/// ```compile_fail
/// let forged: linkage_core::disclosure::release::ReleasedTable =
///     serde_json::from_str("{}").unwrap();
/// ```
///
/// The way it is meant:
///
/// ```
/// use linkage_core::disclosure::release::{Axis, NoisedTable, Owners, Policy};
///
/// let axis = |owner: &str, name: &str, labels: [&str; 2]| Axis {
///     owner: owner.into(),
///     name: name.into(),
///     labels: labels.map(String::from).into(),
/// };
/// let axes = vec![axis("credit", "grade", ["A", "B"]), axis("health", "chronic", ["no", "yes"])];
/// let noised = NoisedTable::new(axes, vec![120, 15, 96, -2])?;
/// let policy = Policy { k: 10, epsilon_per_owner: "1".parse()?, owners: Owners::Two };
/// let table = noised.release(&policy);
/// assert_eq!(table.cell(&[0, 0]), Some(120));
/// assert_eq!(table.cell(&[0, 1]), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReleasedTable {
    axes: Vec<Axis>,
    cells: Vec<Option<i64>>,
    k: u32,
    shown_min: i64,
    epsilon_per_owner: Epsilon,
    owners: Owners,
    noise_sd: f64,
    method: String,
}

impl ReleasedTable {
    /// The dimensions.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// All cells, the last dimension fastest; `None` is a suppressed cell.
    pub fn cells(&self) -> &[Option<i64>] {
        &self.cells
    }

    /// The cell of these values, one number for each dimension; `None` if it is suppressed or
    /// outside the table.
    pub fn cell(&self, values: &[usize]) -> Option<i64> {
        if values.len() != self.axes.len() {
            return None;
        }
        let mut at = 0;
        for (axis, value) in self.axes.iter().zip(values) {
            if *value >= axis.labels.len() {
                return None;
            }
            at = at * axis.labels.len() + value;
        }
        *self.cells.get(at)?
    }

    /// The threshold k of the policy.
    pub fn k(&self) -> u32 {
        self.k
    }

    /// Smallest noised count that is shown, [`Policy::shown_min`].
    pub fn shown_min(&self) -> i64 {
        self.shown_min
    }

    /// The epsilon of each owner's noise share.
    pub fn epsilon_per_owner(&self) -> Epsilon {
        self.epsilon_per_owner
    }

    /// Whose noise is in it.
    pub fn owners(&self) -> Owners {
        self.owners
    }

    /// Standard deviation of the noise in a cell, [`Policy::noise_sd`].
    pub fn noise_sd(&self) -> f64 {
        self.noise_sd
    }

    /// How the table was made, in words that go with it wherever it is shown.
    pub fn method(&self) -> &str {
        &self.method
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::disclosure::noise::LaplaceScale;

    fn axis(labels: usize) -> Axis {
        Axis {
            owner: "tax".into(),
            name: "band".into(),
            labels: (0..labels).map(|i| format!("label {i}")).collect(),
        }
    }

    fn policy(k: u32, epsilon: &str) -> Policy {
        Policy {
            k,
            epsilon_per_owner: epsilon.parse().unwrap(),
            owners: Owners::Two,
        }
    }

    #[test]
    fn margin_is_three_deviations_rounded_up() {
        for (epsilon, margin) in [
            ("1", 6),
            ("0.5", 12),
            ("0.7", 9),
            ("100", 1),
            ("0.001", 6000),
            ("6.001", 1),
            ("5.999", 2),
        ] {
            assert_eq!(policy(10, epsilon).margin(), margin, "{epsilon}");
        }
        assert_eq!(policy(10, "1").shown_min(), 16);
        let alone = Policy {
            owners: Owners::One,
            ..policy(10, "0.5")
        };
        assert_eq!((alone.margin(), alone.noise_sd()), (9, 2.83));
        assert_eq!(
            policy(u32::MAX, "0.001").shown_min(),
            i64::from(u32::MAX) + 6000
        );
    }

    #[test]
    fn the_threshold_itself_is_shown_and_one_less_is_not() {
        let axes = vec![axis(1), axis(4)];
        let table = NoisedTable::new(axes, vec![16, 15, i64::MIN, i64::MAX])
            .unwrap()
            .release(&policy(10, "1"));
        assert_eq!(table.cells(), [Some(16), None, None, Some(i64::MAX)]);
        assert_eq!(table.cell(&[0, 3]), Some(i64::MAX));
        for outside in [&[0, 4][..], &[1, 0], &[0], &[0, 0, 0], &[]] {
            assert_eq!(table.cell(outside), None);
        }
        assert!(
            table
                .method()
                .contains("at least 16 (k = 10 plus a margin of 6")
        );
    }

    #[test]
    fn json_keeps_suppressed_cells_null() {
        let table = NoisedTable::new(vec![axis(2), axis(1)], vec![3, 90]).unwrap();
        let json = serde_json::to_value(table.release(&policy(10, "0.5"))).unwrap();
        assert_eq!(json["cells"], serde_json::json!([null, 90]));
        assert_eq!(json["epsilon_per_owner"], "0.5");
        assert_eq!(json["noise_sd"], 4.0);
    }

    #[test]
    fn cells_that_do_not_fit_the_labels_are_refused() {
        for (sizes, found, expected) in [
            (&[2, 2][..], 3, 4),
            (&[2, 2], 5, 4),
            (&[0, 0], 0, 0),
            (&[0, 3], 0, 0),
            (&[1, 1], 0, 1),
            (&[2, 3, 4], 12, 24),
            (&[], 1, 1),
        ] {
            let axes = sizes.iter().map(|size| axis(*size)).collect();
            let refused = NoisedTable::new(axes, vec![50; found]).err();
            assert_eq!(refused, Some(ShapeError { found, expected }));
        }
    }

    /// The stated deviation holds for real draws, at whole-count and at 2^-40 resolution.
    #[test]
    fn two_shares_have_the_stated_deviation() {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let policy = policy(10, "0.25");
        for bits in [0, 40] {
            let scale = LaplaceScale::for_count(policy.epsilon_per_owner, bits).unwrap();
            let draws = 30_000;
            let sum_of_squares: f64 = (0..draws)
                .map(|_| {
                    let noise = scale.sample(&mut rng) + scale.sample(&mut rng);
                    (noise as f64 / (bits as f64).exp2()).powi(2)
                })
                .sum();
            let measured = (sum_of_squares / f64::from(draws)).sqrt();
            assert!(
                (measured / policy.noise_sd() - 1.0).abs() < 0.04,
                "{measured} at {bits}"
            );
        }
    }

    /// Cells with fewer than k people pass the threshold as rarely as the margin promises.
    #[test]
    fn cells_below_k_are_rarely_shown() {
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        let policy = policy(10, "0.5");
        let scale = LaplaceScale::for_count(policy.epsilon_per_owner, 0).unwrap();
        let draws = 20_000;
        let shown = (0..draws)
            .filter(|_| {
                9 + scale.sample(&mut rng) + scale.sample(&mut rng)
                    >= i128::from(policy.shown_min())
            })
            .count();
        assert!(shown > 0 && shown < draws / 125, "{shown} of {draws}");
    }

    proptest! {
        #[test]
        fn nothing_below_the_threshold_gets_out(
            counts in proptest::collection::vec(-100i64..200, 12),
            k in 0u32..100,
            thousandths in 1..=Epsilon::THOUSANDTHS_MAX,
        ) {
            let policy = Policy {
                k,
                epsilon_per_owner: Epsilon::from_thousandths(thousandths).unwrap(),
                owners: Owners::Two,
            };
            let axes = vec![axis(3), axis(4)];
            let table = NoisedTable::new(axes, counts.clone()).unwrap().release(&policy);
            for (count, shown) in counts.iter().zip(table.cells().to_vec()) {
                let expected = (*count >= i64::from(k) + i64::from(policy.margin())).then_some(*count);
                prop_assert_eq!(shown, expected);
                prop_assert!(shown.is_none_or(|count| count > 0));
            }
        }
    }
}

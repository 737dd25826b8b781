//! Scales: where a value lies on an axis, and which round values are labelled.

/// How distances on the axis follow from values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Linear,
    /// Square roots of counts: their standard error is the same at every height (Tukey's
    /// rootogram, "Some graphic and semigraphic displays", 1972).
    SquareRoot,
    /// Logarithms of counts plus one, so that zero has a place.
    Logarithmic,
}

/// A closed range of values mapped onto 0..1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    shape: Shape,
}

impl Scale {
    /// A linear scale. A range that is empty or not finite is replaced by one around its lower end.
    pub(super) fn linear(low: f64, high: f64) -> Self {
        let low = if low.is_finite() { low } else { 0.0 };
        let high = if high.is_finite() && high > low {
            high
        } else {
            low + low.abs().max(1.0)
        };
        Self {
            low,
            high,
            shape: Shape::Linear,
        }
    }

    /// A scale for counts from zero to `most`.
    pub(super) fn counts(most: f64, shape: Shape) -> Self {
        Self {
            shape,
            ..Self::linear(0.0, most)
        }
    }

    /// Place of `value`, 0 at the low end and 1 at the high end; values outside are clamped.
    pub(super) fn place(&self, value: f64) -> f64 {
        let bend = |value: f64| match self.shape {
            Shape::Linear => value,
            Shape::SquareRoot => value.max(0.0).sqrt(),
            Shape::Logarithmic => value.max(0.0).ln_1p(),
        };
        let (low, high) = (bend(self.low), bend(self.high));
        ((bend(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Whether `value` lies in the range.
    pub(super) fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// At most `most` round values in the range, evenly spaced, with their distance.
    ///
    /// The distance is 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for graph labels",
    /// Graphics Gems, 1990), the smallest that gives no more than `most` values.
    pub(super) fn ticks(&self, most: usize) -> (Vec<f64>, f64) {
        let span = self.high - self.low;
        let rough = span / most.max(2) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0].map(|factor| factor * power);
        for step in steps {
            // The slack keeps an end that is a multiple of the step but for rounding.
            let first = (self.low / step - 1e-9).ceil();
            let last = (self.high / step + 1e-9).floor();
            let count = last - first + 1.0;
            if count <= most.max(2) as f64 {
                let values = (0..count.max(0.0) as usize).map(|n| (first + n as f64) * step);
                return (values.collect(), step);
            }
        }
        (Vec::new(), span)
    }

    /// Round counts to label on an axis `length` pixels long, at least `spacing` pixels apart,
    /// zero first.
    pub(super) fn count_ticks(&self, length: f64, spacing: f64) -> Vec<f64> {
        if self.shape == Shape::Linear {
            let (values, _) = self.ticks((length / spacing).max(2.0) as usize);
            // Half a pair does not exist.
            return values
                .into_iter()
                .filter(|value| value.fract() == 0.0)
                .collect();
        }
        let mut candidates = Vec::new();
        let mut power = 1.0;
        while power <= self.high {
            match self.shape {
                Shape::Logarithmic => candidates.push(power),
                _ => candidates.extend([1.0, 2.0, 5.0].map(|factor| factor * power)),
            }
            power *= 10.0;
        }
        candidates.retain(|value| *value <= self.high);
        // From the top down, so that the largest round count is always labelled.
        let mut kept = Vec::new();
        let mut above = f64::INFINITY;
        for value in candidates.into_iter().rev() {
            let place = self.place(value) * length;
            if above - place >= spacing && place >= spacing {
                kept.push(value);
                above = place;
            }
        }
        kept.push(0.0);
        kept.reverse();
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            Scale::linear(0.0, 1.0).ticks(6).0,
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        let (values, step) = Scale::linear(0.6213, 0.9931).ticks(6);
        assert_eq!(step, 0.1);
        assert_eq!(values.len(), 3);
        for (low, high) in [(0.0, 1e-6), (-7.3, 12.9), (1e6, 1e6 + 3.0), (0.0, 1e12)] {
            for most in [2, 4, 6, 9] {
                let (values, step) = Scale::linear(low, high).ticks(most);
                assert!(values.len() <= most, "{values:?}");
                assert!(
                    most < 4 || values.len() >= 2,
                    "{low} {high} {most} {values:?}"
                );
                assert!(
                    values
                        .iter()
                        .all(|v| *v >= low - step * 1e-6 && *v <= high + step * 1e-6)
                );
            }
        }
    }

    #[test]
    fn a_range_without_width_still_has_a_place() {
        for (low, high) in [
            (0.5, 0.5),
            (0.0, 0.0),
            (f64::NAN, f64::NAN),
            (1.0, f64::INFINITY),
        ] {
            let scale = Scale::linear(low, high);
            assert!(scale.place(0.5).is_finite());
            assert!(scale.ticks(5).0.iter().all(|value| value.is_finite()));
        }
        assert_eq!(Scale::counts(0.0, Shape::Logarithmic).place(0.0), 0.0);
    }

    #[test]
    fn places_are_monotone_and_clamped() {
        for shape in [Shape::Linear, Shape::SquareRoot, Shape::Logarithmic] {
            let scale = Scale::counts(1e6, shape);
            let places = [0.0, 1.0, 10.0, 1e3, 1e6].map(|value| scale.place(value));
            assert!(places.is_sorted(), "{places:?}");
            assert_eq!((scale.place(-5.0), scale.place(2e6)), (0.0, 1.0));
        }
        assert_eq!(Scale::counts(100.0, Shape::SquareRoot).place(25.0), 0.5);
    }

    #[test]
    fn count_ticks_keep_their_distance() {
        for shape in [Shape::Linear, Shape::SquareRoot, Shape::Logarithmic] {
            for most in [0.0, 1.0, 3.0, 47.0, 9_999.0, 1_204_332.0, 1e10] {
                let scale = Scale::counts(most, shape);
                let ticks = scale.count_ticks(200.0, 26.0);
                assert_eq!(ticks.first(), Some(&0.0), "{shape:?} {most}");
                assert!(most < 1.0 || ticks.len() >= 2, "{shape:?} {most} {ticks:?}");
                let places: Vec<f64> = ticks.iter().map(|v| scale.place(*v) * 200.0).collect();
                assert!(
                    places.windows(2).all(|pair| pair[1] - pair[0] >= 24.9),
                    "{places:?}"
                );
            }
        }
    }
}

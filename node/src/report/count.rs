//! Counts as a report shows them: small ones are withheld.

use std::fmt;

use serde::{Serialize, Serializer};

use super::number;

/// Counts from 1 to one less than this are withheld where they are of links, of clusters, of
/// identity conflicts or of bars of a histogram: a report is made to be shown, and a cluster of
/// unusual size may be known to somebody.
pub const COUNT_MIN: u64 = 5;

/// The count, unless it is withheld as too small.
pub fn unless_few(count: u64) -> Option<u64> {
    (count == 0 || count >= COUNT_MIN).then_some(count)
}

/// A count of links, clusters or conflicts. In JSON a number, or a text such as `"< 5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Shown as it is.
    Exact(u64),
    /// Withheld: from 1 to one less than [`COUNT_MIN`].
    Few,
    /// Withheld so that a count that is too small cannot be computed from a sum.
    Withheld,
}

impl Default for Count {
    fn default() -> Self {
        Self::Exact(0)
    }
}

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        unless_few(count).map_or(Self::Few, Self::Exact)
    }
}

impl Count {
    /// The count, if it is shown.
    pub fn exact(self) -> Option<u64> {
        match self {
            Self::Exact(count) => Some(count),
            Self::Few | Self::Withheld => None,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(count) => f.write_str(&number::count(*count)),
            Self::Few => write!(f, "< {COUNT_MIN}"),
            Self::Withheld => f.write_str("×"),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(count) => to.serialize_u64(*count),
            Self::Few => to.serialize_str(&format!("< {COUNT_MIN}")),
            Self::Withheld => to.serialize_str("withheld"),
        }
    }
}

/// Clusters by size, from size 1 on. The number of records is known from elsewhere, and one missing
/// count could be computed from it: where a single one is too small, the smallest other one is
/// withheld with it.
pub fn by_size(sizes: &[u64]) -> Vec<Count> {
    let mut counts: Vec<Count> = sizes.iter().copied().map(Count::from).collect();
    if counts.iter().filter(|count| **count == Count::Few).count() == 1 {
        let shown = counts
            .iter_mut()
            .filter(|count| count.exact().is_some_and(|count| count > 0));
        if let Some(smallest) = shown.min_by_key(|count| count.exact()) {
            *smallest = Count::Withheld;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_counts_are_withheld_in_every_form() {
        let forms = [0, 1, 4, 5, 12_345].map(|count| {
            let count = Count::from(count);
            (
                count.to_string(),
                serde_json::to_value(count).unwrap().to_string(),
            )
        });
        let forms = forms.each_ref().map(|(text, json)| (&**text, &**json));
        let few = ("< 5", "\"< 5\"");
        assert_eq!(
            forms,
            [("0", "0"), few, few, ("5", "5"), ("12,345", "12345")]
        );
    }

    #[test]
    fn a_single_small_count_is_not_withheld_alone() {
        use Count::{Exact, Few, Withheld};
        assert_eq!(
            by_size(&[900, 80, 0, 2]),
            [Exact(900), Withheld, Exact(0), Few]
        );
        assert_eq!(by_size(&[900, 3, 2]), [Exact(900), Few, Few]);
        assert_eq!(by_size(&[900, 80]), [Exact(900), Exact(80)]);
        assert_eq!(by_size(&[3]), [Few]);
    }
}

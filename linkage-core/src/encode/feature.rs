//! What of a value is hashed. Every item starts with its feature's label, so that a bigram and a
//! whole value of the same letters are different.

use zeroize::Zeroizing;

use crate::record::NormalValue;
use crate::schema::{Feature, FeatureKind};

/// Pad character around texts: U+0000 occurs in no normalised value.
const PAD: char = '\0';

/// The feature's items in `value`, in order, without repeats.
pub(super) fn extract(feature: &Feature, value: &NormalValue) -> Vec<Zeroizing<Vec<u8>>> {
    let text = value.whole();
    let q = feature.q.unwrap_or(1);
    let mut items = match feature.kind {
        FeatureKind::PositionalQGram => grams(text, q)
            .iter()
            .enumerate()
            .map(|(place, gram)| item(&format!("p{place}:"), gram))
            .collect(),
        FeatureKind::DateComponents => match value.as_day() {
            Some(day) => vec![
                item("y", &day.year.to_string()),
                item("m", &day.month.to_string()),
                item("d", &day.day.to_string()),
            ],
            None => Vec::new(),
        },
        FeatureKind::Whole => vec![item("w", text)],
        _ => grams(text, q)
            .iter()
            .map(|gram| item("q", gram))
            .collect::<Vec<_>>(),
    };
    items.sort_unstable_by(|x, y| x.as_slice().cmp(y.as_slice()));
    items.dedup();
    items
}

fn item(label: &str, text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(label.len() + 1 + text.len()));
    bytes.extend_from_slice(label.as_bytes());
    bytes.push(0xff);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn grams(text: &str, q: u8) -> Vec<Zeroizing<String>> {
    let q = usize::from(q.max(1));
    let pad = std::iter::repeat_n(PAD, q - 1);
    let padded: Zeroizing<Vec<char>> =
        Zeroizing::new(pad.clone().chain(text.chars()).chain(pad).collect());
    padded
        .windows(q)
        .map(|gram| Zeroizing::new(gram.iter().collect()))
        .collect()
}

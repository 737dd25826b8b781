//! Scored pairs on disk.

use linkage_core::candidates::ScoredPair;

/// Bytes of a pair: rows (u32 each), agreement (f64), link-key rule or [`NO_RULE`] (u8),
/// little-endian.
pub(crate) const HIT_BYTES: usize = 4 + 4 + 8 + 1;

/// No header has so many rules: a rule has at least one of at most 255 columns.
pub(crate) const NO_RULE: u8 = u8::MAX;

/// Appends a pair.
pub(crate) fn put(pair: &ScoredPair, out: &mut Vec<u8>) {
    out.extend_from_slice(&pair.a.to_le_bytes());
    out.extend_from_slice(&pair.b.to_le_bytes());
    out.extend_from_slice(&pair.score.to_le_bytes());
    out.push(pair.link_rule.unwrap_or(NO_RULE));
}

/// The pair of its bytes.
pub(crate) fn get(bytes: &[u8; HIT_BYTES]) -> Option<ScoredPair> {
    let (a, rest) = bytes.split_first_chunk()?;
    let (b, rest) = rest.split_first_chunk()?;
    let (score, rest) = rest.split_first_chunk()?;
    let rule = *rest.first()?;
    Some(ScoredPair {
        a: u32::from_le_bytes(*a),
        b: u32::from_le_bytes(*b),
        link_rule: (rule != NO_RULE).then_some(rule),
        score: f64::from_le_bytes(*score),
    })
}

//! How candidate pairs were found: tables by pair of owners and by block key.

use super::data::{BlockKeyUse, PairQuality, Round};
use super::number;
use super::picture::DataTable;

/// One line for each of the pairs of owners.
pub(super) fn by_pair(pairs: &[&PairQuality]) -> DataTable {
    let mut table = DataTable::new(&[
        "Owners",
        "Found by",
        "Pairs compared",
        "Reduction ratio",
        "Pair completeness",
        "Linked by key",
        "Identity conflicts",
    ]);
    let known = pairs
        .iter()
        .filter_map(|pair| Some((pair, pair.candidates.as_ref()?)));
    table.rows.extend(known.map(|(pair, found)| {
        let method = match found.token_bits {
            Some((bits, tables, _)) => {
                format!("{}: {tables} tables of {bits} bits", found.method)
            }
            None => found.method.clone(),
        };
        vec![
            format!("{} – {}", pair.owners.0, pair.owners.1),
            method,
            number::count(found.compared),
            number::rate(found.reduction_ratio),
            found
                .pair_completeness
                .map_or_else(|| "unknown without truth".to_owned(), number::rate),
            found.keyed.to_string(),
            found.identity_conflicts.to_string(),
        ]
    }));
    table
}

/// One line for each block key, summed over the pairs of owners.
pub(super) fn by_block_key(round: &Round) -> DataTable {
    let mut table = DataTable::new(&[
        "Block key",
        "Pairs proposed",
        "Blocks cut",
        "Pairs left out",
    ]);
    table.rows.extend(sums(round).into_iter().map(|key| {
        vec![
            key.name,
            number::count(key.pairs),
            number::count(key.blocks_cut),
            number::count(key.pairs_left_out),
        ]
    }));
    table
}

/// What was left out, in words; empty where nothing was.
pub(super) fn warning(round: &Round) -> String {
    let short = sums(round);
    let short: Vec<&BlockKeyUse> = short.iter().filter(|key| key.pairs_left_out > 0).collect();
    if short.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = short.iter().map(|key| key.name.as_str()).collect();
    let pairs = short
        .iter()
        .fold(0_u64, |sum, key| sum.saturating_add(key.pairs_left_out));
    format!(
        "Blocks too large to be compared whole were cut: {} pairs of {} were left out, and links may \
         be missing there. Larger blocks are compared with a larger block_pairs_max in the schema.",
        number::count(pairs),
        names.join(", "),
    )
}

fn sums(round: &Round) -> Vec<BlockKeyUse> {
    let mut sums: Vec<BlockKeyUse> = Vec::new();
    let found = round
        .pairs
        .iter()
        .filter_map(|pair| pair.candidates.as_ref());
    for key in found.flat_map(|found| &found.block_keys) {
        match sums.iter_mut().find(|sum| sum.name == key.name) {
            Some(sum) => {
                sum.pairs = sum.pairs.saturating_add(key.pairs);
                sum.blocks_cut = sum.blocks_cut.saturating_add(key.blocks_cut);
                sum.pairs_left_out = sum.pairs_left_out.saturating_add(key.pairs_left_out);
            }
            None => sums.push(key.clone()),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::data::CandidateUse;
    use super::*;

    fn pair(owners: (&str, &str), pairs_left_out: u64) -> PairQuality {
        let key = |name: &str, pairs_left_out| BlockKeyUse {
            name: name.to_owned(),
            pairs: 1200,
            blocks_cut: u64::from(pairs_left_out > 0),
            pairs_left_out,
        };
        PairQuality {
            owners: (owners.0.to_owned(), owners.1.to_owned()),
            candidates: Some(CandidateUse {
                method: "keys".to_owned(),
                compared: 2400,
                reduction_ratio: 0.975,
                block_keys: vec![key("phone", 0), key("birth", pairs_left_out)],
                ..CandidateUse::default()
            }),
            ..PairQuality::default()
        }
    }

    #[test]
    fn what_was_left_out_is_named_and_summed() {
        let round = Round {
            pairs: vec![pair(("a", "b"), 300), pair(("a", "c"), 40)],
            ..Round::default()
        };
        let keys = by_block_key(&round);
        assert_eq!(keys.rows[0], ["phone", "2,400", "0", "0"]);
        assert_eq!(keys.rows[1], ["birth", "2,400", "2", "340"]);
        let warning = warning(&round);
        assert!(warning.contains("340 pairs of birth"), "{warning}");
        let pairs = by_pair(&round.pairs.iter().collect::<Vec<_>>());
        assert_eq!(pairs.rows[1][..2], ["a – c", "keys"]);
        assert_eq!(pairs.rows[1][4], "unknown without truth");
    }

    #[test]
    fn where_nothing_was_left_out_nothing_is_said() {
        let round = Round {
            pairs: vec![pair(("a", "b"), 0)],
            ..Round::default()
        };
        assert_eq!(warning(&round), "");
    }
}

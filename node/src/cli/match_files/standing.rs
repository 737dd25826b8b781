//! Matching again after records have changed.

use std::path::{Path, PathBuf};

use linkage_core::encode::batch::StreamError;
use linkage_engine::standing::{How, Note, Standing, UpdatingFinder};
use linkage_engine::store::{StoreError, TokenStore};
use serde_json::{Value, json};

use super::super::screen;
use super::inputs::{self, Input};
use super::pair_name;

/// What a run took over from the one that stood, for programs and for people.
pub struct Changes {
    /// For programs.
    pub data: Value,
    /// For people.
    pub text: String,
}

/// Names of the data sets of these files, in their order.
pub fn names(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| inputs::name(path)).collect()
}

/// The token store of a token file within the standing folder.
///
/// # Errors
/// [`inputs::Error`], naming the file.
pub fn store(standing: &Standing, path: &Path, owner: usize) -> Result<TokenStore, inputs::Error> {
    standing.store(owner, path).map_err(|error| match error {
        StoreError::Batch {
            source: StreamError::Batch(source),
            ..
        } => inputs::Error::Tokens {
            path: path.into(),
            source,
        },
        error => error.into(),
    })
}

/// What the finder has taken over, and what it has searched in full and why.
pub fn changes(finder: &UpdatingFinder<'_>, inputs: &[Input]) -> Changes {
    let changes = finder.changes();
    let (notes, records) = (finder.notes(), inputs.iter().zip(&changes));
    let datasets = records.clone().map(|(input, change)| match change {
        Some((gone, new)) => json!({ "name": input.name, "gone": gone, "new": new }),
        None => json!({ "name": input.name, "gone": null, "new": null }),
    });
    let searches = notes.iter().map(|note| {
        json!({
            "datasets": pair_name(inputs, note.owner_a, note.owner_b),
            "search": match note.how {
                How::Updated => "updated",
                How::New | How::Full(_) => "full",
            },
            "reason": reason(note),
        })
    });
    let data = json!({
        "datasets": datasets.collect::<Vec<_>>(),
        "searches": searches.collect::<Vec<_>>(),
    });
    let rows = records.map(|(input, change)| {
        let counts = change.map(|(gone, new)| [gone, new].map(|n| screen::count(n as u64)));
        let [gone, new] = counts.unwrap_or_else(|| ["-".into(), "all".into()]);
        vec![input.name.clone(), gone, new]
    });
    let mut lines = vec![screen::table(
        &["data set", "records gone", "records new"],
        1,
        rows,
    )];
    let updated = notes.iter().filter(|note| note.how == How::Updated).count();
    lines.push(format!(
        "{updated} of {} searches brought up to date from what stood",
        notes.len()
    ));
    lines.extend(notes.iter().filter_map(|note| {
        let why = reason(note)?;
        let (a, b) = pair_name(inputs, note.owner_a, note.owner_b);
        let what = if note.owner_a == note.owner_b {
            format!("within {a}")
        } else {
            format!("{a} - {b}")
        };
        Some(format!("Searched in full: {what}: {why}"))
    }));
    let text = lines.join("\n");
    Changes { data, text }
}

/// Why a search was made in full; none where it was not.
fn reason(note: &Note) -> Option<String> {
    match note.how {
        How::Updated => None,
        How::New => Some("nothing stood with these settings and keys".into()),
        How::Full(why) => Some(why.to_string()),
    }
}

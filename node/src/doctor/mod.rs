//! A look at a node from outside: is all that it needs there, and in order?
//!
//! Every check says what it found in words, under a stable code, and what to do. It changes
//! nothing, and may be made while the node runs.

mod bundle;
mod files;
mod peers;
mod state;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::bundle::Bundle;
use crate::settings::{Error, Loaded, Sources};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// The node works, but not for long, or not well.
    Warning,
    /// The node does not work, or must not.
    Bad,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// The stable code of what was found, such as `certificate.expiring`.
    pub code: &'static str,
    /// What was found.
    pub words: String,
    /// What to do; empty if nothing.
    pub remedy: String,
}

impl Finding {
    fn good(check: &'static str, words: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Good,
            code: "good",
            words: words.into(),
            remedy: String::new(),
        }
    }

    fn new(
        check: &'static str,
        verdict: Verdict,
        code: &'static str,
        words: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            check,
            verdict,
            code,
            words: words.into(),
            remedy: remedy.into(),
        }
    }
}

/// Looks at the node of a configuration. When the configuration itself is not acceptable, that is
/// all that is found.
pub async fn examine(sources: &Sources) -> (Option<Loaded>, Vec<Finding>) {
    let loaded = match Loaded::load(sources) {
        Ok(loaded) => loaded,
        Err(error) => return (None, configuration(&error)),
    };
    let settings = &loaded.settings;
    let now = jiff::Timestamp::now();
    let mut findings = vec![Finding::good(
        "configuration",
        format!("{} {}", settings.role, settings.party),
    )];
    findings.extend(files::modes(settings));
    findings.extend(files::certificates(settings, now));
    findings.push(state::disk(settings));
    findings.push(state::audit(settings));
    findings.push(state::database(settings));
    findings.push(state::clock(settings, now));
    findings.extend(peers::reachable(settings).await);
    (Some(loaded), findings)
}

fn configuration(error: &Error) -> Vec<Finding> {
    let bad = |words: String| {
        let remedy = "see `linkage config explain KEY`";
        Finding::new(
            "configuration",
            Verdict::Bad,
            "configuration.refused",
            words,
            remedy,
        )
    };
    match error {
        Error::Refused(complaints) => complaints.iter().map(|one| bad(one.to_string())).collect(),
        error => vec![bad(crate::fault::Chain(error).to_string())],
    }
}

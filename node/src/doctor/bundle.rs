//! What an operator may hand to others who are to help: which checks failed, which keys are set and
//! by what, versions and counts. No values: no path, address, name or message.

use serde::Serialize;

use super::{Finding, Verdict};
use crate::settings::{Loaded, Origin};

/// The report to hand on.
#[derive(Debug, Serialize)]
pub struct Bundle {
    /// Version of the program.
    version: &'static str,
    /// The node's role; none if the configuration is not acceptable.
    role: Option<&'static str>,
    /// Name and release of the operating system's kernel.
    system: String,
    /// Each check: its name, how it came out, the code of what was found.
    checks: Vec<(&'static str, Verdict, &'static str)>,
    /// Each key that counts, and the kind of layer it comes from.
    keys: Vec<(String, &'static str)>,
}

impl Bundle {
    /// The report on a node.
    pub fn new(loaded: Option<&Loaded>, findings: &[Finding]) -> Self {
        let system = nix::sys::utsname::uname().ok();
        let system = system.map(|system| {
            let (name, release) = (system.sysname(), system.release());
            format!("{} {}", name.to_string_lossy(), release.to_string_lossy())
        });
        let entries = loaded.into_iter().flat_map(|loaded| &loaded.entries);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            role: loaded.map(|loaded| loaded.settings.role.as_str()),
            system: system.unwrap_or_default(),
            checks: findings
                .iter()
                .map(|finding| (finding.check, finding.verdict, finding.code))
                .collect(),
            keys: entries
                .map(|entry| (entry.key.clone(), layer(&entry.origin)))
                .collect(),
        }
    }
}

fn layer(origin: &Origin) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::File(..) | Origin::Whole(_) => "file",
        Origin::Variable(_) => "variable",
        Origin::Set => "command line",
    }
}

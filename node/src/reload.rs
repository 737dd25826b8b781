//! Reloading the configuration while the node serves: everything is read and checked first, then
//! everything is put in place; on any fault all stays as it was.

use std::path::PathBuf;

use crate::settings::{Loaded, Settings, Sources};

/// Puts a part of a new configuration in place; it cannot fail any more.
pub type Put = Box<dyn FnOnce() + Send>;

/// A part of the node that can take over a new configuration.
pub trait Part: Send + Sync {
    /// Reads and checks what the part needs.
    ///
    /// # Errors
    /// What is wrong, in a sentence that names the file.
    fn prepare(&self, settings: &Settings) -> Result<Put, String>;
}

impl<F> Part for F
where
    F: Fn(&Settings) -> Result<Put, String> + Send + Sync,
{
    fn prepare(&self, settings: &Settings) -> Result<Put, String> {
        self(settings)
    }
}

/// Why the old configuration is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The files are not acceptable.
    #[error(transparent)]
    Settings(#[from] crate::settings::Error),
    /// A part cannot take it over.
    #[error("{0}")]
    Part(String),
    /// Something that a running node cannot change was changed.
    #[error("`{0}` cannot change while the node runs: restart it")]
    Fixed(&'static str),
}

/// The parts of a running node that take over a new configuration.
pub struct Reload {
    sources: Sources,
    fixed: Fixed,
    parts: Vec<Box<dyn Part>>,
}

/// What stays as it is until a restart.
#[derive(PartialEq)]
struct Fixed {
    identity: String,
    data_dir: PathBuf,
    listen: String,
}

impl Fixed {
    fn of(settings: &Settings) -> Self {
        Self {
            identity: format!(
                "{}/{}/{}",
                settings.trust_domain, settings.role, settings.party
            ),
            data_dir: settings.data_dir.clone(),
            listen: settings.listen.clone(),
        }
    }

    fn changed(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("party", self.identity == other.identity),
            ("data_dir", self.data_dir == other.data_dir),
            ("listen", self.listen == other.listen),
        ];
        pairs.iter().find(|(_, same)| !same).map(|(key, _)| *key)
    }
}

impl Reload {
    /// Reloads a node that was started from `loaded`.
    pub fn new(loaded: &Loaded) -> Self {
        Self {
            sources: loaded.sources.clone(),
            fixed: Fixed::of(&loaded.settings),
            parts: vec![],
        }
    }

    /// Adds a part.
    #[must_use]
    pub fn with(mut self, part: impl Part + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    /// Reads, checks and puts in place.
    ///
    /// # Errors
    /// [`Error`]; then nothing has changed.
    pub fn run(&self) -> Result<(), Error> {
        let settings = Loaded::load(&self.sources)?.settings;
        if let Some(key) = self.fixed.changed(&Fixed::of(&settings)) {
            return Err(Error::Fixed(key));
        }
        let prepared: Result<Vec<Put>, String> = self
            .parts
            .iter()
            .map(|part| part.prepare(&settings))
            .collect();
        prepared
            .map_err(Error::Part)?
            .into_iter()
            .for_each(|put| put());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const MATCHER: &str = r#"
role = "matcher"
party = "matcher"
trust_domain = "linkage.test"
listen = "127.0.0.1:0"
data_dir = "data"
credential = "file:credential"
signing_key = "signing.key"
tls = { cert = "cert.pem", key = "key.pem", ca = "ca.pem" }
"#;

    #[test]
    fn all_parts_change_or_none_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("node.toml");
        let write = |more: &str| std::fs::write(&file, format!("{MATCHER}{more}")).unwrap();
        write("");
        let loaded = Loaded::load(&Sources::file(&file)).unwrap();
        let seen = Arc::new(AtomicU64::new(0));
        let sees = Arc::clone(&seen);
        let takes = move |settings: &Settings| -> Result<Put, String> {
            let (sees, value) = (Arc::clone(&sees), settings.limits.calls_max as u64);
            Ok(Box::new(move || sees.store(value, Ordering::SeqCst)))
        };
        let refuses = |settings: &Settings| -> Result<Put, String> {
            match settings.limits.calls_max {
                13 => Err("13 is not wanted".to_owned()),
                _ => Ok(Box::new(|| {})),
            }
        };
        let reload = Reload::new(&loaded).with(takes).with(refuses);
        let value = || seen.load(Ordering::SeqCst);
        write("[limits]\ncalls_max = 7\n");
        reload.run().unwrap();
        assert_eq!(value(), 7);
        write("[limits]\ncalls_max = 13\n");
        assert!(matches!(reload.run(), Err(Error::Part(_))));
        write("[limits]\ncalls_max = \n");
        assert!(matches!(reload.run(), Err(Error::Settings(_))));
        std::fs::write(&file, MATCHER.replace("\"data\"", "\"elsewhere\"")).unwrap();
        assert!(matches!(reload.run(), Err(Error::Fixed("data_dir"))));
        assert_eq!(value(), 7);
    }
}

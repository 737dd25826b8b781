//! Logs: JSON lines on standard error, one an event, with the operation they belong to.

use std::io::{self, Write};
use std::panic;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::{metrics, scrub};

/// Why logs cannot be written as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The level is none.
    #[error("not a log level: use error, warn, info, debug or trace, or target=level,...")]
    Level(#[from] ParseError),
    /// The process writes logs already.
    #[error("the log is set up twice")]
    Twice(#[from] TryInitError),
    /// The level cannot change any more.
    #[error("the log has ended")]
    Ended(#[from] reload::Error),
}

/// The level of the running process's log.
#[derive(Debug, Clone)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// Changes the level.
    ///
    /// # Errors
    /// [`Error::Level`] and [`Error::Ended`].
    pub fn set(&self, level: &str) -> Result<(), Error> {
        Ok(self.0.reload(parse(level)?)?)
    }
}

/// Reads a level such as `info` or `info,linkage_node=debug`.
///
/// # Errors
/// [`Error::Level`].
pub fn parse(level: &str) -> Result<EnvFilter, Error> {
    Ok(EnvFilter::try_new(level)?)
}

/// Begins to write the log of this process. A panic is logged by its place alone: its message may
/// quote what was being worked on.
///
/// # Errors
/// [`Error::Level`] and [`Error::Twice`].
pub fn begin(level: &str) -> Result<Level, Error> {
    let (filter, handle) = reload::Layer::new(parse(level)?);
    let lines = fmt::layer()
        .json()
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(Lines);
    Registry::default().with(filter).with(lines).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(reason = "task.panic", place, "a task failed");
    }));
    Ok(Level(handle))
}

/// Standard error, without identifiers of known forms.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Lines {
    /// Takes a whole line at once, as the layer that formats lines hands them over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (clean, found) = scrub::scrub(&text);
        if found > 0 {
            metrics::log_scrubbed(found);
        }
        io::stderr().lock().write_all(clean.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

//! The report a run leaves behind: one HTML page and the same data as JSON.
//!
//! | file | what |
//! |---|---|
//! | `index.html` | self-contained page: no script, no other file, reads from disk and prints |
//! | `report.json` | the [`Report`] itself |
//!
//! Data flows `data` -> `check` -> pictures (`histogram`, `curves`, `bars`, `heatmap`, `pair_map`,
//! `flow`, `weights`) -> `page` -> templates in `templates/report/`. Nothing here computes a
//! result: the report shows what it is given, and an en dash where it is given nothing finite.

mod bars;
mod candidates;
mod check;
pub mod count;
mod curves;
pub mod data;
pub mod data_quality;
pub mod extract;
mod flow;
pub mod from_run;
mod heatmap;
mod histogram;
mod number;
mod page;
mod pair_map;
mod picture;
mod scale;
mod svg;
mod weights;

pub use number::bytes;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use data::Report;

/// Name of the page in the report's folder.
pub const PAGE_FILE: &str = "index.html";

/// Name of the data in the report's folder.
pub const DATA_FILE: &str = "report.json";

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two parts of the report that belong together differ in length.
    #[error("{place}: expected {expected}, found {found}")]
    Shape {
        /// Which part.
        place: String,
        /// Length it must have.
        expected: usize,
        /// Length it has.
        found: usize,
    },
    /// A histogram's bin borders are not finite and strictly ascending.
    #[error("bin borders of the {place} are not ascending numbers")]
    Edges {
        /// Which histogram.
        place: String,
    },
    /// The page could not be rendered.
    #[error("cannot render the report")]
    Render(#[source] askama::Error),
    /// The data could not be written as JSON.
    #[error("cannot write the report as JSON")]
    Json(#[source] serde_json::Error),
    /// A file or the folder could not be written.
    #[error("cannot write {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes `index.html` and `report.json` into `folder`, which is made if it does not exist.
/// Files of an earlier report are replaced. Returns the path of the page.
///
/// # Errors
/// [`Error::Shape`] and [`Error::Edges`] if parts of the report do not fit each other; then
/// nothing is written. Otherwise the error of the step that failed.
pub fn write(folder: &Path, report: &Report) -> Result<PathBuf, Error> {
    check::check(report)?;
    let page = page::render(report).map_err(Error::Render)?;
    let mut data = serde_json::to_vec(report).map_err(Error::Json)?;
    data.push(b'\n');
    fs::create_dir_all(folder).map_err(|source| Error::Io {
        path: folder.to_owned(),
        source,
    })?;
    replace(&folder.join(DATA_FILE), &data)?;
    let path = folder.join(PAGE_FILE);
    replace(&path, page.as_bytes())?;
    Ok(path)
}

/// Writes a file so that a reader sees the old or the new one, never half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

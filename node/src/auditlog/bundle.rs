//! Bundles: a log in one file, to hand to an auditor.
//!
//! A bundle is a first line and frames as in the journal: the newest checkpoint, the newest that a
//! quorum has cosigned (the same without one), the right edge of the tree before the first entry
//! (number of entries and hashes), and the entries. It holds no key: the reader brings the policy.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use linkage_core::audit::checkpoint::CheckpointError;
use linkage_core::audit::note::{Note, NoteError};
use linkage_core::audit::tree::{Frontier, Hash};
use linkage_core::audit::verify::Fault;

use super::segments::{self, Frame, Frames, push_frame};
use super::tiles::Tiles;
use super::verify::Source;
use super::{CHECKPOINT_FILE, WITNESSED_FILE};

/// The first line.
const MAGIC: &[u8] = b"linkage audit bundle 1\n";

/// Writes the log in `dir` as a bundle to a new file; gives the number of entries.
///
/// # Errors
/// When a file cannot be read or written, or the bundle is there already.
pub fn write(dir: &Path, path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut out = BufWriter::new(file);
    let note = std::fs::read(dir.join(CHECKPOINT_FILE))?;
    let witnessed = match std::fs::read(dir.join(WITNESSED_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => note.clone(),
        read => read?,
    };
    let journal = segments::list(dir)?;
    let first = journal.first().map_or(0, |segment| segment.first);
    let tiles = Tiles::resume(dir, first)?;
    let mut edge = first.to_be_bytes().to_vec();
    for peak in tiles.tree().peaks() {
        edge.extend_from_slice(&peak.0);
    }
    let mut head = MAGIC.to_vec();
    for part in [&note, &witnessed, &edge] {
        push_frame(&mut head, part);
    }
    out.write_all(&head)?;
    let mut entries = 0;
    for segment in journal {
        let mut frames = Frames::open(&segment.path)?;
        while let Frame::Entry(entry) = frames.next_frame()? {
            let mut frame = Vec::with_capacity(entry.len() + segments::FRAME_HEAD_BYTES);
            push_frame(&mut frame, entry);
            out.write_all(&frame)?;
            entries += 1;
        }
    }
    out.into_inner()?.sync_all()?;
    Ok(entries)
}

/// Opens a bundle for reading.
pub(super) fn open(path: &Path) -> Result<Source, Fault> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut magic = [0; MAGIC.len()];
    reader.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(invalid("this is neither a log's folder nor a bundle").into());
    }
    let mut frames = Frames::new(reader);
    let mut part = || -> Result<Vec<u8>, Fault> {
        match frames.next_frame()? {
            Frame::Entry(part) => Ok(part.to_vec()),
            _ => Err(invalid("the bundle's head is damaged").into()),
        }
    };
    let (newest, witnessed, edge) = (part()?, part()?, part()?);
    Ok(Source {
        note: note(&newest)?,
        witnessed: Some(note(&witnessed)?),
        tree: read_edge(&edge).ok_or_else(|| invalid("the bundle's head is damaged"))?,
        files: vec![(path.to_owned(), frames)],
        tiles: None,
        key: Err(CheckpointError::Origin),
        is_running: false,
    })
}

fn note(bytes: &[u8]) -> Result<Note, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| NoteError::Form);
    Ok(text.and_then(Note::parse).map_err(CheckpointError::from)?)
}

fn read_edge(bytes: &[u8]) -> Option<Frontier> {
    let (size, peaks) = bytes.split_first_chunk()?;
    let (peaks, rest) = peaks.as_chunks();
    let peaks = peaks.iter().copied().map(Hash).collect();
    let edge = Frontier::from_peaks(u64::from_be_bytes(*size), peaks);
    edge.filter(|_| rest.is_empty())
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

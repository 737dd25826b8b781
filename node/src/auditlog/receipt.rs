//! Receipts from the files of a log, without its node.

use std::fs;
use std::io;
use std::path::Path;

use linkage_core::audit::checkpoint::Checkpoint;
use linkage_core::audit::note::Note;
use linkage_core::audit::receipt::Receipt;
use linkage_core::audit::tree::proof::inclusion;

use super::tiles::Tiles;
use super::{CHECKPOINT_FILE, WITNESSED_FILE, segments};

/// The receipt of entry `index` of the log in `dir`, under the newest checkpoint that covers it;
/// one that witnesses have cosigned before another.
///
/// # Errors
/// When the log cannot be read or has no such entry that is signed.
pub fn from_dir(dir: &Path, index: u64) -> io::Result<Receipt> {
    let absent = || io::Error::new(io::ErrorKind::NotFound, "no checkpoint covers this entry");
    let mut covering = None;
    for name in [WITNESSED_FILE, CHECKPOINT_FILE] {
        let text = match fs::read_to_string(dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read?,
        };
        let note = Note::parse(&text).map_err(io::Error::other)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(io::Error::other)?;
        if index < checkpoint.size {
            covering = Some((note, checkpoint));
            break;
        }
    }
    let (note, checkpoint) = covering.ok_or_else(absent)?;
    // The files of the journal from the one that holds the entry make what tiles there may not be.
    let start = index - index % segments::SEGMENT_ENTRIES;
    let mut tiles = Tiles::resume(dir, start)?;
    let mut entries = segments::entries(dir, start)?;
    let mut entry = None;
    while let Some((seq, bytes)) = entries.next_entry()? {
        if seq == index {
            entry = Some(bytes.to_vec());
        }
        if seq < checkpoint.size {
            tiles.push(bytes);
        } else {
            break;
        }
    }
    if tiles.size() < checkpoint.size {
        return Err(absent());
    }
    Ok(Receipt {
        entry: entry.ok_or_else(absent)?,
        index,
        proof: inclusion(&tiles, index, checkpoint.size)?,
        note,
    })
}

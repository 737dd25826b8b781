//! The journal: the entries themselves, in files of 65 536, each framed with length and checksum.
//!
//! A frame is the length of the entry (4 bytes, little-endian), the CRC-32C of it (the same) and
//! its bytes. Everything else in the log's folder can be made from these files.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use linkage_core::audit::entry::ENTRY_BYTES_MAX;

/// Folder of the journal in the log's folder.
pub const FOLDER: &str = "journal";

/// Entries in a file of the journal: a full tile of level 1, so that a file begins with a new tile
/// of every level below, and some 40 MB at 600 bytes an entry. Fewer in unit tests, which need
/// several files; a multiple of the width of a tile is all that the format asks for.
pub const SEGMENT_ENTRIES: u64 = if cfg!(test) { 1024 } else { 65_536 };

/// Bytes before each entry.
pub const FRAME_HEAD_BYTES: usize = 8;

/// A file of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Number of its first entry; its name.
    pub first: u64,
    /// Where it lies.
    pub path: PathBuf,
}

impl Segment {
    /// The file that begins with entry `first`.
    pub fn of(dir: &Path, first: u64) -> Self {
        Self {
            first,
            path: dir.join(FOLDER).join(format!("{first:020}")),
        }
    }
}

/// The files of the journal in the log's folder `dir`, in order.
///
/// # Errors
/// When the folder cannot be read or a file in it has another name than a file of the journal.
pub fn list(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = vec![];
    for file in fs::read_dir(dir.join(FOLDER))? {
        let name = file?.file_name();
        let first = name.to_str().and_then(|name| name.parse().ok());
        let segment = first.map(|first| Segment::of(dir, first));
        let segment = segment.filter(|segment| segment.path.file_name() == Some(&name));
        segments.push(segment.ok_or_else(|| {
            let message = format!("{} is no file of the journal", name.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?);
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// Appends the frame of an entry. The entry is at most [`ENTRY_BYTES_MAX`] long.
pub fn push_frame(buffer: &mut Vec<u8>, entry: &[u8]) {
    // Longer entries are refused when they are made.
    let length = u32::try_from(entry.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&crc32c::crc32c(entry).to_le_bytes());
    buffer.extend_from_slice(entry);
}

/// Reads frames one by one.
pub struct Frames<R> {
    reader: R,
    /// Bytes of whole frames that were read.
    good: u64,
    entry: Vec<u8>,
}

/// What stands where a frame should.
#[derive(Debug)]
pub enum Frame<'a> {
    /// An entry.
    Entry(&'a [u8]),
    /// The end of the file.
    End,
    /// The file ends within a frame: a write was cut short, or the file was.
    Torn,
    /// The checksum is not that of the entry, or the length that of no entry.
    Bad,
}

impl Frames<BufReader<File>> {
    /// The frames of a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufReader::with_capacity(
            1 << 18,
            File::open(path)?,
        )))
    }
}

impl<R: Read> Frames<R> {
    /// The frames of a reader.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            good: 0,
            entry: vec![],
        }
    }

    /// Bytes of the whole frames so far.
    pub fn good_bytes(&self) -> u64 {
        self.good
    }

    /// The next frame. After anything but an entry there is no next.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_frame(&mut self) -> io::Result<Frame<'_>> {
        let mut head = [0; FRAME_HEAD_BYTES];
        match fill(&mut self.reader, &mut head)? {
            0 => return Ok(Frame::End),
            FRAME_HEAD_BYTES => {}
            _ => return Ok(Frame::Torn),
        }
        let [a, b, c, d, checksum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        // No entry is empty; a file that grew before a crash of the machine may be full of zeros.
        if length == 0 || length > ENTRY_BYTES_MAX {
            return Ok(Frame::Bad);
        }
        self.entry.resize(length, 0);
        if fill(&mut self.reader, &mut self.entry)? < length {
            return Ok(Frame::Torn);
        }
        if crc32c::crc32c(&self.entry) != u32::from_le_bytes(checksum) {
            return Ok(Frame::Bad);
        }
        self.good += (FRAME_HEAD_BYTES + length) as u64;
        Ok(Frame::Entry(&self.entry))
    }
}

/// The entries of a journal, one by one.
pub struct Entries {
    files: std::vec::IntoIter<Segment>,
    frames: Option<Frames<BufReader<File>>>,
    /// Number of the entry that comes next.
    next: u64,
    /// Entries below are passed over.
    from: u64,
}

/// The entries of the log in `dir` from number `from` on, as they are on the disk: nothing but
/// their checksums is checked. Entries that were pruned are left out.
///
/// # Errors
/// When the folder holds no journal.
pub fn entries(dir: &Path, from: u64) -> io::Result<Entries> {
    let mut files = list(dir)?;
    let behind = files.iter().filter(|segment| segment.first <= from).count();
    files.drain(..behind.saturating_sub(1));
    Ok(Entries {
        next: files.first().map_or(0, |segment| segment.first),
        files: files.into_iter(),
        frames: None,
        from,
    })
}

impl Entries {
    /// Number and bytes of the next entry; `None` at the end of what is whole.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_entry(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            if self.frames.is_none() {
                let Some(file) = self.files.next() else {
                    return Ok(None);
                };
                self.next = file.first;
                self.frames = Some(Frames::open(&file.path)?);
            }
            let Some(frames) = &mut self.frames else {
                return Ok(None);
            };
            if !matches!(frames.next_frame()?, Frame::Entry(_)) {
                self.frames = None;
                continue;
            }
            let seq = self.next;
            self.next += 1;
            if seq >= self.from {
                break;
            }
        }
        let entry = self.frames.as_ref().map(|frames| frames.entry.as_slice());
        Ok(entry.map(|entry| (self.next - 1, entry)))
    }

    /// Reads to the end; gives the number of the entry that would come next.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn skip_to_end(&mut self) -> io::Result<u64> {
        while self.next_entry()?.is_some() {}
        Ok(self.next)
    }
}

/// Reads until `buffer` is full or the reader at its end; gives the number of bytes.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_are_listed_in_order_and_strangers_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        let segments = [0, 1024, 2048].map(|first| Segment::of(dir.path(), first));
        for segment in segments.iter().rev() {
            fs::write(&segment.path, "").unwrap();
        }
        assert_eq!(list(dir.path()).unwrap(), segments);
        fs::write(dir.path().join(FOLDER).join("7"), "").unwrap();
        assert!(list(dir.path()).is_err());
    }

    proptest! {
        #[test]
        fn frames_read_back_and_a_cut_or_a_flip_is_seen(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 1..8),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let mut bytes = vec![];
            for entry in &entries {
                push_frame(&mut bytes, entry);
            }
            let read = |bytes: &[u8]| {
                let mut frames = Frames::new(bytes);
                let mut read: Vec<Vec<u8>> = vec![];
                loop {
                    match frames.next_frame().unwrap() {
                        Frame::Entry(entry) => read.push(entry.to_vec()),
                        Frame::End => return (read, true, frames.good_bytes()),
                        Frame::Torn | Frame::Bad => return (read, false, frames.good_bytes()),
                    }
                }
            };
            prop_assert_eq!(read(&bytes), (entries.clone(), true, bytes.len() as u64));
            let at = at.index(bytes.len());
            let (cut, is_whole, good) = read(&bytes[..at]);
            prop_assert!(entries.starts_with(&cut) && good <= at as u64);
            prop_assert_eq!(is_whole, good == at as u64);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let (kept, is_whole, _) = read(&flipped);
            prop_assert!(!is_whole && entries.starts_with(&kept));
        }
    }
}

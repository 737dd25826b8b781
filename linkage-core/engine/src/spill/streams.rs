//! Many streams of bytes in one file, written by many threads.
//!
//! ```text
//! extents  each a run of bytes of one stream, in the order in which they came
//! index    number of streams (u32); for each its number of extents (u32), for each of these its
//!          offset (u64), length (u64) and CRC-32C (u32)
//! footer   offset of the index (u64), CRC-32C of the index (u32)
//! ```
//!
//! Numbers are little-endian. An extent is read as a whole or not at all.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::durable::{self, NewFile};
use crate::error::Error;

const FOOTER_BYTES: usize = 8 + 4;

/// A run of bytes of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    offset: u64,
    pub bytes: u64,
    crc: u32,
}

/// Streams that are being written.
pub(crate) struct StreamsWriter {
    path: PathBuf,
    file: Place,
    end: AtomicU64,
    extents: Vec<Mutex<Vec<Extent>>>,
}

/// Where the bytes go until the streams are complete.
enum Place {
    /// To a file that gets its name when it is complete.
    New(NewFile),
    /// To a file that nobody will look for after a stop.
    Scratch(File),
}

impl StreamsWriter {
    /// Streams that are to last: see [`StreamsWriter::seal`].
    pub fn lasting(path: &Path, streams: usize) -> Result<Self, Error> {
        let new = NewFile::new(path).map_err(Error::io(path))?;
        Ok(Self::on(path, streams, Place::New(new)))
    }

    /// Streams for this process only: see [`StreamsWriter::read_back`].
    pub fn scratch(path: &Path, streams: usize) -> Result<Self, Error> {
        let file = durable::create(path).map_err(Error::io(path))?;
        // Without a name the space is given back whenever the process ends.
        fs::remove_file(path).map_err(Error::io(path))?;
        Ok(Self::on(path, streams, Place::Scratch(file)))
    }

    fn on(path: &Path, streams: usize, file: Place) -> Self {
        Self {
            path: path.into(),
            file,
            end: AtomicU64::new(0),
            extents: (0..streams).map(|_| Mutex::default()).collect(),
        }
    }

    fn file(&self) -> &File {
        match &self.file {
            Place::New(new) => &new.file,
            Place::Scratch(file) => file,
        }
    }

    /// Adds an extent to a stream; none for no bytes.
    pub fn append(&self, stream: usize, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let length = bytes.len() as u64;
        let offset = self.end.fetch_add(length, Ordering::Relaxed);
        let written = self.file().write_all_at(bytes, offset);
        written.map_err(Error::io(&self.path))?;
        if let Some(extents) = self.extents.get(stream) {
            let mut extents = extents.lock().unwrap_or_else(PoisonError::into_inner);
            extents.push(Extent {
                offset,
                bytes: length,
                crc: crc32c::crc32c(bytes),
            });
        }
        Ok(())
    }

    /// The streams for reading.
    pub fn read_back(self) -> Result<Streams, Error> {
        let file = self.file().try_clone().map_err(Error::io(&self.path))?;
        let inner = |extents: Mutex<Vec<Extent>>| extents.into_inner();
        let extents = self.extents.into_iter().map(inner);
        Ok(Streams {
            path: self.path,
            file,
            extents: extents
                .map(|extents| extents.unwrap_or_else(PoisonError::into_inner))
                .collect(),
        })
    }

    /// Completes the file and puts it in its place; gives the checksum of its index, by which
    /// [`Streams::open`] knows it again.
    pub fn seal(self) -> Result<u32, Error> {
        let index = encode(self.extents.iter().map(|extents| {
            let extents = extents.lock().unwrap_or_else(PoisonError::into_inner);
            extents.clone()
        }));
        let end = self.end.load(Ordering::Relaxed);
        let crc = crc32c::crc32c(&index);
        let footer = [end.to_le_bytes().as_slice(), &crc.to_le_bytes()].concat();
        let io = Error::io(&self.path);
        let all = [index, footer].concat();
        let written = self.file().write_all_at(&all, end);
        let placed = written.and_then(|()| match self.file {
            Place::New(new) => new.place(),
            Place::Scratch(file) => file.sync_all(),
        });
        placed.map_err(io)?;
        Ok(crc)
    }
}

/// Streams that can be read.
pub(crate) struct Streams {
    path: PathBuf,
    file: File,
    extents: Vec<Vec<Extent>>,
}

impl Streams {
    /// Opens the file that [`StreamsWriter::seal`] gave `crc` for.
    pub fn open(path: &Path, crc: u32) -> Result<Self, Error> {
        let io = || Error::io(path);
        let damaged = || Error::damaged(path);
        let file = File::open(path).map_err(io())?;
        let length = file.metadata().map_err(io())?.len();
        let at = length.checked_sub(FOOTER_BYTES as u64);
        let at = at.ok_or_else(damaged)?;
        let mut footer = [0; FOOTER_BYTES];
        file.read_exact_at(&mut footer, at).map_err(io())?;
        let (offset, stated) = footer.split_at(8);
        let offset = u64::from_le_bytes(offset.try_into().unwrap_or_default());
        if stated != crc.to_le_bytes() || offset > at {
            return Err(damaged());
        }
        let mut index = vec![0; (at - offset) as usize];
        file.read_exact_at(&mut index, offset).map_err(io())?;
        if crc32c::crc32c(&index) != crc {
            return Err(damaged());
        }
        Ok(Self {
            path: path.into(),
            file,
            extents: decode(&index).ok_or_else(damaged)?,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The extents of a stream.
    pub fn extents(&self, stream: usize) -> &[Extent] {
        self.extents.get(stream).map_or(&[], Vec::as_slice)
    }

    /// Reads an extent to `into`, in place of what that holds.
    pub fn read(&self, extent: &Extent, into: &mut Vec<u8>) -> Result<(), Error> {
        into.resize(extent.bytes as usize, 0);
        let read = self.file.read_exact_at(into, extent.offset);
        read.map_err(Error::io(&self.path))?;
        if crc32c::crc32c(into) == extent.crc {
            Ok(())
        } else {
            Err(Error::damaged(&self.path))
        }
    }
}

fn encode(streams: impl ExactSizeIterator<Item = Vec<Extent>>) -> Vec<u8> {
    let mut out = (streams.len() as u32).to_le_bytes().to_vec();
    for extents in streams {
        out.extend_from_slice(&(extents.len() as u32).to_le_bytes());
        for extent in extents {
            out.extend_from_slice(&extent.offset.to_le_bytes());
            out.extend_from_slice(&extent.bytes.to_le_bytes());
            out.extend_from_slice(&extent.crc.to_le_bytes());
        }
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Vec<Vec<Extent>>> {
    let mut rest = bytes;
    let streams = u32::from_le_bytes(take(&mut rest)?);
    let mut all = Vec::new();
    for _ in 0..streams {
        let count = u32::from_le_bytes(take(&mut rest)?);
        let mut extents = Vec::new();
        for _ in 0..count {
            extents.push(Extent {
                offset: u64::from_le_bytes(take(&mut rest)?),
                bytes: u64::from_le_bytes(take(&mut rest)?),
                crc: u32::from_le_bytes(take(&mut rest)?),
            });
        }
        all.push(extents);
    }
    rest.is_empty().then_some(all)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_many_threads_write_is_read_by_stream() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let writer = StreamsWriter::lasting(&path, 3).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let writer = &writer;
                scope.spawn(move || {
                    for n in 0..50_u8 {
                        writer
                            .append(usize::from(n % 2), &[thread, n, n % 2])
                            .unwrap();
                    }
                });
            }
        });
        assert!(!path.exists());
        let crc = writer.seal().unwrap();
        let streams = Streams::open(&path, crc).unwrap();
        let mut buffer = vec![];
        for stream in 0..2 {
            assert_eq!(streams.extents(stream).len(), 100);
            for extent in streams.extents(stream) {
                streams.read(extent, &mut buffer).unwrap();
                assert_eq!(usize::from(buffer[2]), stream);
            }
        }
        assert!(streams.extents(2).is_empty());
        assert!(Streams::open(&path, crc ^ 1).is_err());
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let writer = StreamsWriter::lasting(&path, 2).unwrap();
        writer.append(0, b"first").unwrap();
        writer.append(1, b"second").unwrap();
        let crc = writer.seal().unwrap();
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let read = Streams::open(&path, crc).and_then(|streams| {
                let mut buffer = vec![];
                (0..2).try_for_each(|stream| {
                    let mut extents = streams.extents(stream).iter();
                    extents.try_for_each(|extent| streams.read(extent, &mut buffer))
                })
            });
            assert!(read.is_err(), "bit {bit}");
        }
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(Streams::open(&path, crc).is_err());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_indexes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(streams) = decode(&bytes) {
                prop_assert_eq!(encode(streams.into_iter()), bytes);
            }
        }
    }
}

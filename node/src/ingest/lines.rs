//! A text file in blocks of whole lines, so that reading needs no look at what the lines hold.

use std::io::Read;

use zeroize::Zeroizing;

/// Longest line; far above any record, low enough that a binary file is not read into memory.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a block: some thousand records, work for a few milliseconds.
const BLOCK_BYTES: usize = 256 * 1024;

/// Whole lines of a file.
pub(super) struct Lines<R> {
    input: R,
    /// Beginning of a line whose end has not been read.
    carry: Zeroizing<Vec<u8>>,
    /// Bytes read.
    read: u64,
    /// Rows given.
    rows: u64,
    ended: bool,
}

/// Some lines and where they stand.
pub(super) struct LineBlock {
    /// Row of the first line in the file, from 1.
    pub(super) first_row: u64,
    /// The lines with their ends; the last line of the file may have none. A line that is too long
    /// is cut, one byte over the limit.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Bytes of the file read up to the end of the block.
    pub(super) read: u64,
}

impl<R: Read> Lines<R> {
    /// Lines of `input`, of which `read` bytes have been read before.
    pub(super) fn new(input: R, read: u64) -> Self {
        Self {
            input,
            carry: Zeroizing::new(Vec::new()),
            read,
            rows: 0,
            ended: false,
        }
    }

    /// The next block; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next_block(&mut self) -> std::io::Result<Option<LineBlock>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BLOCK_BYTES + self.carry.len()));
        bytes.extend_from_slice(&self.carry);
        self.carry.clear();
        while !self.ended {
            // All room is made at once: growing would leave copies behind.
            if bytes.capacity() < bytes.len() + BLOCK_BYTES {
                let mut larger = Zeroizing::new(Vec::with_capacity(bytes.len() + BLOCK_BYTES));
                larger.extend_from_slice(&bytes);
                bytes = larger;
            }
            let mut part = self.input.by_ref().take(BLOCK_BYTES as u64);
            let found = part.read_to_end(&mut bytes)?;
            self.read += found as u64;
            self.ended = found < BLOCK_BYTES;
            if let Some(last) = memchr::memrchr(b'\n', &bytes) {
                if !self.ended {
                    let rest = bytes.get(last + 1..).unwrap_or(&[]);
                    self.carry.extend_from_slice(rest);
                    bytes.truncate(last + 1);
                }
                break;
            }
            if bytes.len() > LINE_BYTES_MAX {
                bytes.truncate(LINE_BYTES_MAX + 1);
                bytes.push(b'\n');
                self.skip_line()?;
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let ends = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let open = u64::from(bytes.last() != Some(&b'\n'));
        let first_row = self.rows + 1;
        self.rows += ends + open;
        Ok(Some(LineBlock {
            first_row,
            bytes,
            read: self.read,
        }))
    }

    /// Reads to the end of the line and keeps what follows.
    fn skip_line(&mut self) -> std::io::Result<()> {
        let mut part = Zeroizing::new(Vec::with_capacity(BLOCK_BYTES));
        while !self.ended {
            part.clear();
            let mut input = self.input.by_ref().take(BLOCK_BYTES as u64);
            let found = input.read_to_end(&mut part)?;
            self.read += found as u64;
            self.ended = found < BLOCK_BYTES;
            if let Some(end) = memchr::memchr(b'\n', &part) {
                let rest = part.get(end + 1..).unwrap_or(&[]);
                self.carry.extend_from_slice(rest);
                // What is carried is still to be given, though nothing more is to be read.
                return Ok(());
            }
        }
        Ok(())
    }
}

impl LineBlock {
    /// Every line without its end, with its row in the file.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        (self.first_row..).map_while(move |row| {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or(&[]);
            Some((row, line.strip_suffix(b"\r").unwrap_or(line)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Lines::new(content, 0);
        let mut found = vec![];
        let mut read = 0;
        while let Some(block) = lines.next_block().unwrap() {
            found.extend(block.lines().map(|(row, line)| (row, line.to_vec())));
            assert!(block.read > read || block.read == content.len() as u64);
            read = block.read;
        }
        assert_eq!(read, content.len() as u64);
        found
    }

    #[test]
    fn lines_over_block_borders_are_whole_and_long_ones_cut() {
        let line = |byte: u8, length: usize| vec![byte; length];
        for lengths in [
            vec![10, 0, 20],
            vec![BLOCK_BYTES - 1, 5],
            vec![BLOCK_BYTES, 5],
            vec![100, BLOCK_BYTES * 2, 7],
            vec![LINE_BYTES_MAX, 3],
            vec![5, LINE_BYTES_MAX + 1, 3, 4],
            vec![3 * LINE_BYTES_MAX, 3],
            vec![3, 3 * LINE_BYTES_MAX],
        ] {
            let expected: Vec<_> = (1_u64..)
                .zip(&lengths)
                .map(|(row, length)| {
                    let byte = b'a' + u8::try_from(row).unwrap();
                    (row, line(byte, *length))
                })
                .collect();
            let content = expected
                .iter()
                .map(|(_, line)| line.as_slice())
                .collect::<Vec<_>>()
                .join(&b'\n');
            let found = read(&content);
            assert_eq!(found.len(), expected.len(), "{lengths:?}");
            for ((row, found), (expected_row, expected)) in found.iter().zip(&expected) {
                assert_eq!(row, expected_row);
                let kept = expected.len().min(LINE_BYTES_MAX + 1);
                assert!(found[..] == expected[..kept], "{lengths:?}, row {row}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_line_comes_once(content in prop::collection::vec(any::<u8>(), 1..400)) {
            let text = content.strip_suffix(b"\n").unwrap_or(&content);
            let expected: Vec<&[u8]> = text
                .split(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .collect();
            let found = read(&content);
            let found: Vec<&[u8]> = found.iter().map(|(_, line)| line.as_slice()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

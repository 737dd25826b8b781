//! A file seen as memory. The crate's only `unsafe` code.

#![allow(
    unsafe_code,
    reason = "mapping a file is unsafe by nature: its bytes may change underneath"
)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps the whole file for reading.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: a store is written under a temporary name, renamed when complete and never written
    // again, and only its owner may open it (mode 0600). Every bit pattern is a value of the plain
    // integers that the bytes are read as. Whoever changes the file all the same changes numbers
    // that are then read; whoever cuts it makes the kernel end the process (SIGBUS).
    unsafe { Mmap::map(file) }
}

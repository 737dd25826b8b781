//! Taking a header apart from its front.

use super::error::BatchError;

const SHORT: BatchError = BatchError::Header("it is too short");

/// The bytes not yet taken.
pub(super) struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], BatchError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = tail;
        Ok(*head)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, BatchError> {
        self.bytes().map(|[byte]| byte)
    }

    /// Refuses bytes that are left over.
    pub(super) fn end(&self) -> Result<(), BatchError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(BatchError::Header("it is too long"))
        }
    }
}

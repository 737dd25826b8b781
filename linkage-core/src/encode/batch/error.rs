//! Why bytes are no batch, and batches not comparable.

/// Why bytes are not a batch, or two batches cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Not a batch at all.
    #[error("this is no batch of encoded records")]
    Magic,
    /// A batch of another version of the format.
    #[error("the batch has format version {0}; this program reads version 1")]
    Version(u16),
    /// The header contradicts itself.
    #[error("the batch's header is damaged: {0}")]
    Header(&'static str),
    /// A row does not fit the header.
    #[error("a row does not fit the batch's header: {0}")]
    Row(&'static str),
    /// The length does not fit the header's row count.
    #[error("the batch has {found} bytes, its header announces {expected}: it was cut or extended")]
    Length {
        /// Bytes by the header.
        expected: u64,
        /// Bytes present, as far as they were read.
        found: u64,
    },
    /// More or fewer rows were written than the header announces.
    #[error("the batch's header announces {expected} rows, not {found}")]
    Rows {
        /// Rows by the header.
        expected: u64,
        /// Rows written.
        found: u64,
    },
    /// A token has another number of set bits than the batch says.
    #[error("a token's number of set bits is wrong: the batch was changed or damaged")]
    Ones,
    /// The checksum differs.
    #[error("the batch's checksum is wrong: the file was changed or damaged")]
    Checksum,
    /// Two batches differ in something that they must share.
    #[error("the batches cannot be compared: {0}")]
    Incomparable(&'static str),
}

/// Why a batch cannot be read from or written to a stream: there is no third cause.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream failed.
    #[error("the batch cannot be read or written")]
    Io(#[from] std::io::Error),
    /// The bytes are no batch, or the rows do not fit it.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

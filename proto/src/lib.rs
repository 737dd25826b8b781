//! The wire protocol between nodes: messages, clients and servers generated from
//! `linkage/v1/*.proto`, whose comments are the reference.
//!
//! A leaf crate: it knows the wire's types only. Conversion to and from domain types is the node's.

use std::fmt;

/// Version 1 of the protocol.
#[allow(
    missing_docs,
    clippy::indexing_slicing,
    reason = "generated; the .proto files hold the documentation"
)]
pub mod v1 {
    tonic::include_proto!("linkage.v1");
}

/// The compiled protocol as an encoded `FileDescriptorSet`.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// `Debug` without content for messages that carry tokens, keys or shares.
macro_rules! redacted {
    ($($message:ident)+) => {
        $(impl fmt::Debug for v1::$message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($message), "(redacted)"))
            }
        })+
    };
}

redacted! { Chunk BeginRequest PostRequest Item PositionsPart AnswerReply TableMessage TablePart TableChunk }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_bytes_are_not_printed() {
        let chunk = v1::Chunk {
            rows: vec![0xab; 4].into(),
            ..Default::default()
        };
        assert_eq!(format!("{chunk:?}"), "Chunk(redacted)");
    }

    #[test]
    fn the_descriptor_names_every_service() {
        for service in [
            "Projects",
            "Mailbox",
            "Uploads",
            "Runs",
            "Operations",
            "Extracts",
            "Tables",
            "Witness",
        ] {
            let name = service.as_bytes();
            assert!(
                DESCRIPTOR.windows(name.len()).any(|w| w == name),
                "{service}"
            );
        }
    }
}

//! The words with which a server ends a connection after its handshake: an empty SETTINGS frame and
//! a GOAWAY frame whose debug data is the reason code (RFC 9113 sections 3.4, 6.5 and 6.8).
//!
//! A TLS alert could carry only a class of reasons, and a bare close none.

use crate::refusal::Refusal;

/// Bytes of a frame header: length (3), type (1), flags (1), stream (4).
const HEADER_BYTES: usize = 9;
/// Bytes of a GOAWAY payload before its debug data: last stream (4), error code (4).
const GOAWAY_FIXED_BYTES: usize = 8;

const TYPE_SETTINGS: u8 = 0x04;
const TYPE_GOAWAY: u8 = 0x07;

/// `ENHANCE_YOUR_CALM` (RFC 9113 section 7): the peer asks for more than its share.
const ENHANCE_YOUR_CALM: u32 = 0x0b;
/// `INADEQUATE_SECURITY` (RFC 9113 section 7): the transport does not meet what is required.
const INADEQUATE_SECURITY: u32 = 0x0c;

/// The frames that tell a client why it is refused, in wire form.
pub(crate) fn encode(refusal: Refusal) -> Vec<u8> {
    let error = match refusal {
        Refusal::TooManyHandshakes | Refusal::TooManyConnections | Refusal::TooManyOfPeer => {
            ENHANCE_YOUR_CALM
        }
        _ => INADEQUATE_SECURITY,
    };
    let code = refusal.code().as_bytes();
    let mut frames = Vec::with_capacity(2 * HEADER_BYTES + GOAWAY_FIXED_BYTES + code.len());
    put_header(&mut frames, 0, TYPE_SETTINGS);
    put_header(&mut frames, GOAWAY_FIXED_BYTES + code.len(), TYPE_GOAWAY);
    frames.extend_from_slice(&0_u32.to_be_bytes());
    frames.extend_from_slice(&error.to_be_bytes());
    frames.extend_from_slice(code);
    frames
}

/// The reason in the first GOAWAY frame that lies whole in `bytes`, if it is one of ours.
pub(crate) fn decode(bytes: &[u8]) -> Option<Refusal> {
    let mut rest = bytes;
    loop {
        let (header, after) = rest.split_first_chunk::<HEADER_BYTES>()?;
        let [high, middle, low, kind, ..] = *header;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let (payload, next) = after.split_at_checked(usize::try_from(length).ok()?)?;
        if kind == TYPE_GOAWAY {
            let code = payload.get(GOAWAY_FIXED_BYTES..)?;
            return Refusal::from_code(std::str::from_utf8(code).ok()?);
        }
        rest = next;
    }
}

/// Writes the header of a frame of the connection as a whole (stream 0) without flags.
fn put_header(frames: &mut Vec<u8>, payload_bytes: usize, kind: u8) {
    // A reason code is a few dozen bytes, far below the 2^24 of the length field.
    let length = u32::try_from(payload_bytes).unwrap_or(0).to_be_bytes();
    frames.extend_from_slice(&length[1..]);
    frames.extend_from_slice(&[kind, 0, 0, 0, 0, 0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::IdentityFault;

    #[test]
    fn frames_are_as_the_rfc_draws_them() {
        let frames = encode(Refusal::TooManyConnections);
        let code = b"limit.connections";
        let mut expected = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
        expected.extend([0, 0, 8 + code.len() as u8, 7, 0, 0, 0, 0, 0]);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0x0b]);
        expected.extend(code);
        assert_eq!(frames, expected);
    }

    #[test]
    fn a_reason_survives_the_trip() {
        for refusal in [
            Refusal::ForeignTrustDomain,
            Refusal::Identity(IdentityFault::NoUriSan),
        ] {
            let frames = encode(refusal);
            assert_eq!(decode(&frames), Some(refusal));
            for cut in 0..frames.len() {
                assert_eq!(decode(&frames[..cut]), None, "{cut} bytes");
            }
        }
    }

    #[test]
    fn other_servers_frames_are_left_alone() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 64];
        assert_eq!(decode(&settings), None);
        let foreign = [
            0, 0, 11, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'b', b'y', b'e',
        ];
        assert_eq!(decode(&foreign), None);
        let short = [0, 0, 4, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode(&short), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&bytes), None);
        }

        #[test]
        fn any_frames_are_answered(
            length in 0_u8..40,
            kind in 3_u8..9,
            payload in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut bytes = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
            bytes.extend(payload);
            prop_assert_eq!(decode(&bytes), None);
        }
    }
}

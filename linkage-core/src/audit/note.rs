//! Signed notes: a text and signatures under it (c2sp.org/signed-note).
//!
//! | key type | signs | by |
//! |---|---|---|
//! | `0x01` Ed25519 | the text | a log, its checkpoints |
//! | `0x04` cosignature/v1 | a time and the text (c2sp.org/tlog-cosignature) | a witness |
//!
//! The type stands in every key, so that another algorithm (C2SP has ML-DSA-44 as `0x06`) is a new
//! value and no new format. `ring` has no ML-DSA.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Longest accepted note, bytes: a checkpoint and the signatures of two hundred witnesses.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Most signatures of a note, as many as c2sp.org/signed-note asks a reader to bear at least 16 of.
pub const SIGNATURES_MAX: usize = 256;

/// What stands before each signature: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 over the text: logs.
    Ed25519,
    /// Ed25519 over a time and the text: witnesses.
    CosignatureV1,
}

impl Algorithm {
    /// The type byte of c2sp.org/signed-note.
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1]
            .into_iter()
            .find(|algorithm| algorithm.byte() == byte)
    }
}

/// A public key with the name it signs under. As text: `name+keyid+base64(type || key)`, the
/// verifier key ("vkey") of c2sp.org/signed-note.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifyingKey {
    name: String,
    algorithm: Algorithm,
    public: [u8; 32],
}

/// A private key with the name it signs under.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A text with signatures, none of them checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// What a signature that holds says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The text is of the log.
    ByLog,
    /// The witness had seen it at this moment, seconds since 1970.
    ByWitness(u64),
}

/// Why a key or a note was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The name is empty or holds spaces, control characters or `+`.
    #[error("a key name is not empty and has no spaces, control characters and '+'")]
    Name,
    /// Not the text of a verifier key that is known here.
    #[error("not a verifier key of the form name+keyid+base64, of type 1 or 4")]
    Key,
    /// Not the text of a note.
    #[error("not a signed note")]
    Form,
    /// No signature with this key.
    #[error("the note carries no signature of this key")]
    Unsigned,
    /// There is a signature with this key, and it is wrong.
    #[error("a signature of the note does not hold")]
    Signature,
}

impl Note {
    /// A text without signatures.
    ///
    /// # Errors
    /// [`NoteError::Form`] unless the text ends in a newline and has no other control characters.
    pub fn new(text: String) -> Result<Self, NoteError> {
        let is_refused = |c: char| c.is_control() && c != '\n';
        if !text.ends_with('\n') || text.chars().any(is_refused) {
            return Err(NoteError::Form);
        }
        Ok(Self {
            text,
            signatures: vec![],
        })
    }

    /// Reads a note. No signature is checked.
    ///
    /// # Errors
    /// [`NoteError::Form`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let mut parsed = Self::new(format!("{text}\n"))?;
        parsed.signatures = Signature::parse_lines(lines)?;
        Ok(parsed)
    }

    /// The signed text, with the newline at its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, none of them checked.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature, in the place of an earlier one of the same key.
    pub fn add(&mut self, signature: Signature) {
        let is_other = |old: &Signature| (&old.name, old.id) != (&signature.name, signature.id);
        self.signatures.retain(is_other);
        self.signatures.push(signature);
    }

    /// Checks the signature of `key`. Those of other keys are passed over, as the format demands.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] or [`NoteError::Signature`].
    pub fn verify(&self, key: &VerifyingKey) -> Result<Signed, NoteError> {
        let id = key.id();
        let mut found = Err(NoteError::Unsigned);
        for signature in &self.signatures {
            if signature.name == key.name && signature.id == id {
                found = Ok(key.check(&self.text, &signature.bytes)?);
            }
        }
        found
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| signature.fmt(f))
    }
}

impl Signature {
    /// Reads signature lines, each with its newline: one or more.
    ///
    /// # Errors
    /// [`NoteError::Form`].
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, NoteError> {
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let signatures: Vec<Self> = lines
            .split('\n')
            .take(SIGNATURES_MAX + 1)
            .map(Self::parse)
            .collect::<Result<_, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Form);
        }
        Ok(signatures)
    }

    fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, blob) = line
            .strip_prefix(SIGNATURE_PREFIX)
            .and_then(|line| line.split_once(' '))
            .ok_or(NoteError::Form)?;
        let blob = BASE64.decode(blob).map_err(|_| NoteError::Form)?;
        let (id, bytes) = blob.split_first_chunk().ok_or(NoteError::Form)?;
        if !is_name(name) || bytes.is_empty() {
            return Err(NoteError::Form);
        }
        Ok(Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_owned(),
        })
    }

    /// The name that it was made under.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = BASE64.encode([&self.id[..], &self.bytes].concat());
        writeln!(f, "{SIGNATURE_PREFIX}{} {blob}", self.name)
    }
}

impl SigningKey {
    /// A key of 32 secret bytes.
    ///
    /// # Errors
    /// [`NoteError::Name`] if `name` cannot stand in a note.
    pub fn new(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::Key)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| NoteError::Key)?;
        let verifying = VerifyingKey::new(name, algorithm, public)?;
        Ok(Self { pair, verifying })
    }

    /// The public half.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Signs a text; `seconds` since 1970 is the time that a witness states, and unused by a log.
    pub fn sign(&self, text: &str, seconds: u64) -> Signature {
        let mut bytes = Vec::with_capacity(8 + SIGNATURE_BYTES);
        let signature = match self.verifying.algorithm {
            Algorithm::Ed25519 => self.pair.sign(text.as_bytes()),
            Algorithm::CosignatureV1 => {
                bytes.extend_from_slice(&seconds.to_be_bytes());
                self.pair.sign(cosigned(text, seconds).as_bytes())
            }
        };
        bytes.extend_from_slice(signature.as_ref());
        Signature {
            name: self.verifying.name.clone(),
            id: self.verifying.id(),
            bytes,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying)
    }
}

impl VerifyingKey {
    /// A key of this name.
    ///
    /// # Errors
    /// [`NoteError::Name`] if the name cannot stand in a note.
    pub fn new(name: &str, algorithm: Algorithm, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            algorithm,
            public,
        })
    }

    /// The name it signs under: the origin of a log, or the name of a witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// First four bytes of SHA-256(name, newline, type, key): a hint which key signed, no security.
    fn id(&self) -> [u8; 4] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', self.algorithm.byte()]);
        context.update(&self.public);
        let mut id = [0; 4];
        for (byte, from) in id.iter_mut().zip(context.finish().as_ref()) {
            *byte = *from;
        }
        id
    }

    fn check(&self, text: &str, signature: &[u8]) -> Result<Signed, NoteError> {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        let wrong = |_| NoteError::Signature;
        match self.algorithm {
            Algorithm::Ed25519 => {
                key.verify(text.as_bytes(), signature).map_err(wrong)?;
                Ok(Signed::ByLog)
            }
            Algorithm::CosignatureV1 => {
                let (time, signature) =
                    signature.split_first_chunk().ok_or(NoteError::Signature)?;
                let seconds = u64::from_be_bytes(*time);
                key.verify(cosigned(text, seconds).as_bytes(), signature)
                    .map_err(wrong)?;
                Ok(Signed::ByWitness(seconds))
            }
        }
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.algorithm.byte()][..], &self.public].concat();
        let id = hex::encode(self.id());
        write!(f, "{}+{id}+{}", self.name, BASE64.encode(typed))
    }
}

impl FromStr for VerifyingKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        // Base64 may hold '+', so only the first two divide.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let typed = BASE64.decode(typed).map_err(|_| NoteError::Key)?;
        let (algorithm, public) = typed.split_first().ok_or(NoteError::Key)?;
        let algorithm = Algorithm::from_byte(*algorithm).ok_or(NoteError::Key)?;
        let public = public.try_into().map_err(|_| NoteError::Key)?;
        let key = Self::new(name, algorithm, public)?;
        if hex::encode(key.id()) == id {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }
}

/// What a witness signs (c2sp.org/tlog-cosignature, "Ed25519 signed message").
fn cosigned(text: &str, seconds: u64) -> String {
    let mut message = String::with_capacity(text.len() + 48);
    // Writing to a string cannot fail.
    let _ = write!(message, "cosignature/v1\ntime {seconds}\n{text}");
    message
}

fn is_name(name: &str) -> bool {
    let is_refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.chars().any(is_refused)
}

//! A node's TLS settings, and their replacement while it runs.
//!
//! New files are read whole, checked whole, and put in place at once; when anything is wrong with
//! them, what was there before stays. A renewed certificate counts from the next connection on.
//! What the node believes, its authorities and revocation lists, counts for connections that are
//! open too: [`Credentials::verify`] tells whether a peer's chain would still be let in.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

use super::expiry::Expiry;
use super::files::{Material, Stamp};
use super::{TlsError, TlsFiles, client_of, client_verifier, lists, server_of};
use crate::identity::{Identity, IdentityFault};
use crate::refusal::Refusal;

/// Time for which a file must have been left alone before it is read unasked: a renewal writes its
/// files one after the other, and two seconds is more than that takes.
const SETTLED: Duration = Duration::from_secs(2);

/// The TLS settings of a node.
pub struct Credentials {
    current: ArcSwap<Loaded>,
    generations: watch::Sender<u64>,
}

/// What the files held when they were read.
struct Loaded {
    files: TlsFiles,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    peers: Arc<dyn ClientCertVerifier>,
    identity: Result<Identity, IdentityFault>,
    expiry: Expiry,
    stamp: Stamp,
    contents: Contents,
}

/// SHA-256 over the public files' contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Over the chain's certificates.
    pub chain: [u8; 32],
    /// Over the authorities' certificates.
    pub authorities: [u8; 32],
    /// Over the revocation lists.
    pub lists: [u8; 32],
}

impl Credentials {
    /// Reads the files.
    ///
    /// # Errors
    /// A [`TlsError`] that names the file at fault.
    pub fn read(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let loaded = Loaded::read(files)?;
        Ok(Arc::new(Self {
            current: ArcSwap::from_pointee(loaded),
            generations: watch::Sender::new(0),
        }))
    }

    /// The settings for the next connection that comes in.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().server)
    }

    /// The settings for the next connection that goes out.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current.load().client)
    }

    /// Until when the files hold.
    pub fn expiry(&self) -> Expiry {
        self.current.load().expiry
    }

    /// Digests of the files in use.
    pub fn contents(&self) -> Contents {
        self.current.load().contents
    }

    /// How often the settings were replaced.
    pub fn generation(&self) -> u64 {
        *self.generations.borrow()
    }

    /// Tells of every replacement.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Whether a peer with this chain, its own certificate first, would be let in now.
    ///
    /// # Errors
    /// The [`Refusal`] it would meet.
    pub fn verify(&self, chain: &[CertificateDer<'static>]) -> Result<(), Refusal> {
        let (own, above) = chain.split_first().ok_or(Refusal::NoClientCertificate)?;
        let checked = self
            .current
            .load()
            .peers
            .verify_client_cert(own, above, UnixTime::now());
        checked.map(drop).map_err(|error| Refusal::from_tls(&error))
    }

    /// Whether the files are others than those in use, and nobody is writing them.
    pub fn is_stale(&self, now: SystemTime) -> bool {
        let current = self.current.load();
        let stamp = Stamp::of(&current.files);
        stamp != current.stamp && stamp.is_settled(now, SETTLED)
    }

    /// Reads and checks these files, to be put in place of those in use.
    ///
    /// # Errors
    /// A [`TlsError`] that names the file at fault.
    pub fn stage(self: &Arc<Self>, files: TlsFiles, now: Timestamp) -> Result<Staged, TlsError> {
        let loaded = Loaded::read(files)?;
        if loaded.identity != self.current.load().identity {
            return Err(TlsError::OtherIdentity {
                file: loaded.files.cert,
            });
        }
        loaded.expiry.check(&loaded.files, now)?;
        Ok(Staged {
            credentials: Arc::clone(self),
            loaded,
        })
    }

    /// Reads the files in use anew and puts what they hold in place. `false` if they hold the same
    /// as before.
    ///
    /// # Errors
    /// A [`TlsError`] that names the file at fault. Everything is then as it was.
    pub fn reload(self: &Arc<Self>, now: Timestamp) -> Result<bool, TlsError> {
        let files = self.current.load().files.clone();
        Ok(self.stage(files, now)?.put())
    }
}

/// Settings that are read and checked, and not in place yet.
pub struct Staged {
    credentials: Arc<Credentials>,
    loaded: Loaded,
}

impl Staged {
    /// Puts them in place. `false` if they are the same as before.
    pub fn put(self) -> bool {
        let credentials = &self.credentials;
        let contents = self.loaded.contents;
        let before = credentials.current.swap(Arc::new(self.loaded));
        // After the settings: whoever has seen the number finds settings of it or newer ones.
        credentials.generations.send_modify(|number| *number += 1);
        contents != before.contents
    }
}

impl Loaded {
    fn read(files: TlsFiles) -> Result<Self, TlsError> {
        // Before the files, so that one which changes meanwhile is read again.
        let stamp = Stamp::of(&files);
        let material = Material::read(&files)?;
        lists::check(&material, &files)?;
        let own = material.chain.first().map(AsRef::as_ref).unwrap_or(&[]);
        let identity = Identity::from_certificate(own);
        let expiry = Expiry::of(&material);
        let contents = Contents::of(&material);
        let peers = client_verifier(&material, &files)?;
        Ok(Self {
            server: server_of(&material, Arc::clone(&peers), &files)?,
            client: client_of(&material, &files)?,
            peers,
            identity,
            expiry,
            stamp,
            contents,
            files,
        })
    }
}

impl Contents {
    fn of(material: &Material) -> Self {
        Self {
            chain: digest(material.chain.iter().map(|der| der.as_ref())),
            authorities: digest(material.authorities.iter().map(|der| der.as_ref())),
            lists: digest(material.lists.iter().map(|der| der.as_ref())),
        }
    }
}

/// SHA-256 over DER, which says where it ends: no two sequences run into the same bytes.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    parts.for_each(|part| context.update(part));
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

//! The PEM files: what they hold, and whether they have changed since.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::TlsFiles;
use super::error::{PEM_BYTES_MAX, TlsError};

/// Permission bits that a private key file must not have: any of group and others.
const KEY_MODE_FORBIDDEN: u32 = 0o077;

/// What the files hold.
pub(super) struct Material {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
}

impl Material {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let lists = files.crl.as_deref().map(read_lists).transpose()?;
        Ok(Self {
            chain: read_certificates(&files.cert)?,
            key: read_key(&files.key)?,
            authorities: read_certificates(&files.ca)?,
            lists: lists.unwrap_or_default(),
        })
    }

    pub(super) fn roots(&self, files: &TlsFiles) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.authorities {
            roots
                .add(certificate.clone())
                .map_err(|source| TlsError::BadCa {
                    file: files.ca.clone(),
                    source,
                })?;
        }
        Ok(Arc::new(roots))
    }
}

/// What tells a file from the one that was there before: a renewal may replace it, put a link in
/// its place or write into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<(u64, u64, SystemTime)>>);

impl Stamp {
    /// The files as they are now; one that cannot be seen is no reason to fail here.
    pub(super) fn of(files: &TlsFiles) -> Self {
        let paths = [&files.cert, &files.key, &files.ca];
        let stamps = paths.into_iter().chain(files.crl.iter()).map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.ino(), metadata.len(), metadata.modified().ok()?))
        });
        Self(stamps.collect())
    }

    /// Whether no file was written within `rest` before `now`: one that was may be half there.
    pub(super) fn is_settled(&self, now: SystemTime, rest: Duration) -> bool {
        self.0.iter().flatten().all(|(_, _, modified)| {
            // A time in the future is a clock that was put back, not a write under way.
            now.duration_since(*modified)
                .map_or(true, |since| since >= rest)
        })
    }
}

pub(crate) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let opened = open(file)?;
    let pem = read_all(&opened, file)?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::NoCertificate {
            file: file.to_owned(),
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            file: file.to_owned(),
        });
    }
    Ok(certificates)
}

pub(crate) fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let opened = open(file)?;
    // Asked of the open file, not of its name, so that it cannot be swapped in between.
    let metadata = opened.metadata().map_err(|source| TlsError::Read {
        file: file.to_owned(),
        source,
    })?;
    if metadata.mode() & KEY_MODE_FORBIDDEN != 0 {
        return Err(TlsError::KeyExposed {
            file: file.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    let pem = read_all(&opened, file)?;
    // The decoder's error is dropped: it may quote the line at fault, which may be key material.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey {
        file: file.to_owned(),
    })
}

fn open(file: &Path) -> Result<File, TlsError> {
    File::open(file).map_err(|source| TlsError::Read {
        file: file.to_owned(),
        source,
    })
}

fn read_all(opened: &File, file: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |source| TlsError::Read {
        file: file.to_owned(),
        source,
    };
    let length = opened.metadata().map_err(failed)?.len();
    if length > PEM_BYTES_MAX {
        return Err(TlsError::TooLarge {
            file: file.to_owned(),
        });
    }
    // Room for the whole file from the start, so that growth leaves no copy of a key behind.
    let mut pem = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    opened
        .take(PEM_BYTES_MAX)
        .read_to_end(&mut pem)
        .map_err(failed)?;
    Ok(pem)
}

fn read_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let opened = open(file)?;
    let pem = read_all(&opened, file)?;
    let none = || TlsError::NoList {
        file: file.to_owned(),
    };
    let lists = CertificateRevocationListDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| none())?;
    // An empty file would switch the checks off.
    if lists.is_empty() {
        Err(none())
    } else {
        Ok(lists)
    }
}

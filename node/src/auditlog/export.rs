//! Exporting a log to collectors: from a cursor on, at least once.
//!
//! The cursor says which entry comes next and what the root of the tree before it is, so that it
//! fits one log only; it is moved when the receiver's side has taken what was sent. An exporter
//! that is slow, or gone, holds up nothing: it reads files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use linkage_core::audit::entry::Entry;
use linkage_core::audit::export::{Form, line};
use linkage_core::audit::tree::{Frontier, Hash};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::segments;
use super::tiles::Tiles;

/// Entries after which the receiver's side is flushed and the cursor moved.
const BATCH_ENTRIES: u64 = 1024;

/// Time that a receiver may take to accept a connection, or some bytes.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// First line of a cursor file.
const MAGIC: &str = "linkage audit export 1";

/// How far an export is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The entry that comes next.
    pub next: u64,
    /// Root over the entries before it.
    pub root: Hash,
}

impl Cursor {
    /// The beginning of every log.
    pub const START: Self = Self {
        next: 0,
        root: Hash::EMPTY_ROOT,
    };

    /// Reads a cursor file; the start of a log if there is none.
    ///
    /// # Errors
    /// When the file cannot be read or is none.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::START),
            read => read?,
        };
        let parsed = || {
            let mut lines = text.lines();
            if lines.next() != Some(MAGIC) {
                return None;
            }
            let next = lines.next()?.strip_prefix("next ")?.parse().ok()?;
            let root = hex::decode(lines.next()?.strip_prefix("root ")?).ok()?;
            let root = Hash(root.try_into().ok()?);
            Some(Self { next, root })
        };
        let wrong = format!("{} is no cursor of an export", path.display());
        parsed().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, wrong))
    }

    /// Replaces the cursor file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = format!("{MAGIC}\nnext {}\nroot {}\n", self.next, self.root);
        let draft = path.with_extension("tmp");
        let mut file = File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    }

    /// The tree of the log in `dir` before the entry that comes next.
    ///
    /// # Errors
    /// When the log has fewer entries or another root there: the cursor is of another log, or the
    /// log was changed.
    pub fn tree(&self, dir: &Path) -> io::Result<Frontier> {
        let start = self.next - self.next % segments::SEGMENT_ENTRIES;
        let mut tree = Tiles::resume(dir, start)?.tree().clone();
        let mut entries = segments::entries(dir, start)?;
        while tree.size() < self.next
            && let Some((_, bytes)) = entries.next_entry()?
        {
            tree.push(Hash::leaf(bytes));
        }
        if tree.size() == self.next && tree.root() == self.root {
            Ok(tree)
        } else {
            let message = "the cursor does not fit the log: it is of another one, or entries that \
                           were exported have been changed";
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
    }
}

/// Where an export goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file that is appended to; a new one, named with the number of its first entry, when it
    /// has this many bytes.
    File {
        /// The file.
        path: PathBuf,
        /// Bytes after which another is begun.
        bytes_max: u64,
    },
    /// A TCP connection; frames are counted (RFC 6587, section 3.4.1).
    Tcp(String),
    /// A TLS connection (RFC 5425) to a server that these authorities vouch for.
    Tls {
        /// `host:port`.
        address: String,
        /// PEM file of the authorities.
        ca: PathBuf,
    },
}

/// An open [`Target`].
enum Sink {
    Lines(Box<dyn Write>),
    File {
        file: BufWriter<File>,
        path: PathBuf,
        bytes: u64,
        bytes_max: u64,
    },
    Frames(Box<dyn Write>),
}

/// What an export has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Entries that were sent.
    pub sent: u64,
    /// The entry that comes next.
    pub next: u64,
}

/// An export that is under way.
pub struct Export {
    dir: PathBuf,
    cursor_path: Option<PathBuf>,
    form: Form,
    sink: Sink,
    tree: Frontier,
}

impl Export {
    /// Opens the target, and the cursor if there is one.
    ///
    /// # Errors
    /// When one of them, or the log in `dir`, cannot be used.
    pub fn begin(
        dir: &Path,
        cursor_path: Option<PathBuf>,
        form: Form,
        target: &Target,
    ) -> io::Result<Self> {
        let cursor = cursor_path.as_deref().map(Cursor::read).transpose()?;
        let tree = cursor.unwrap_or(Cursor::START).tree(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            cursor_path,
            form,
            sink: Sink::open(target)?,
            tree,
        })
    }

    /// Sends every entry that is there and not sent yet, and moves the cursor.
    ///
    /// # Errors
    /// When reading or sending fails. What was sent since the cursor was moved is sent again by
    /// the next export.
    pub fn run(&mut self) -> io::Result<Exported> {
        let from = self.tree.size();
        let mut entries = segments::entries(&self.dir, from)?;
        while let Some((seq, bytes)) = entries.next_entry()? {
            if seq != self.tree.size() {
                let message = format!(
                    "entry {} was pruned before it was exported",
                    self.tree.size()
                );
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
            let entry = Entry::from_bytes(bytes).map_err(io::Error::other)?;
            self.sink.send(seq, &line(self.form, &entry, bytes))?;
            self.tree.push(Hash::leaf(bytes));
            if (seq + 1).is_multiple_of(BATCH_ENTRIES) {
                self.settle()?;
            }
        }
        self.settle()?;
        let next = self.tree.size();
        Ok(Exported {
            sent: next - from,
            next,
        })
    }

    fn settle(&mut self) -> io::Result<()> {
        self.sink.flush()?;
        if let Some(path) = &self.cursor_path {
            let cursor = Cursor {
                next: self.tree.size(),
                root: self.tree.root(),
            };
            cursor.write(path)?;
        }
        Ok(())
    }
}

impl Sink {
    fn open(target: &Target) -> io::Result<Self> {
        Ok(match target {
            Target::Stdout => Self::Lines(Box::new(io::stdout())),
            Target::File { path, bytes_max } => {
                let file = append(path)?;
                Self::File {
                    bytes: file.metadata()?.len(),
                    file: BufWriter::new(file),
                    path: path.clone(),
                    bytes_max: *bytes_max,
                }
            }
            Target::Tcp(address) => Self::Frames(Box::new(BufWriter::new(dial(address)?))),
            Target::Tls { address, ca } => {
                Self::Frames(Box::new(BufWriter::new(dial_tls(address, ca)?)))
            }
        })
    }

    fn send(&mut self, seq: u64, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Lines(out) => out.write_all(line).and_then(|()| out.write_all(b"\n")),
            Self::Frames(out) => {
                write!(out, "{} ", line.len())?;
                out.write_all(line)
            }
            Self::File {
                file,
                path,
                bytes,
                bytes_max,
            } => {
                if *bytes > 0 && *bytes + line.len() as u64 >= *bytes_max {
                    file.flush()?;
                    file.get_ref().sync_all()?;
                    // The full one is put aside under the number of the entry it ends before.
                    let mut aside = path.clone().into_os_string();
                    aside.push(format!(".{seq:020}"));
                    fs::rename(&*path, aside)?;
                    *file = BufWriter::new(append(path)?);
                    *bytes = 0;
                }
                *bytes += line.len() as u64 + 1;
                file.write_all(line).and_then(|()| file.write_all(b"\n"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Lines(out) | Self::Frames(out) => out.flush(),
            Self::File { file, .. } => {
                file.flush()?;
                file.get_ref().sync_data()
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

fn dial(address: &str) -> io::Result<TcpStream> {
    use std::net::ToSocketAddrs as _;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, RECEIVER_TIMEOUT) {
            Ok(stream) => {
                stream.set_write_timeout(Some(RECEIVER_TIMEOUT))?;
                stream.set_read_timeout(Some(RECEIVER_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn dial_tls(address: &str, ca: &Path) -> io::Result<impl Write + use<>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(io::Error::other)? {
        let certificate = certificate.map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, dial(address)?);
    // A receiver that is refused must be known before the first entry counts as sent.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

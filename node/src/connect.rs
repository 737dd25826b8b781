//! The client's side: a gRPC channel to one named party, and true words when it cannot be had.
//!
//! In TLS 1.3 a client's handshake is over before the server has looked at its certificate, so a
//! refusal comes as an alert on the first read, which an HTTP/2 client shows as a cancelled call.
//! The connector therefore reads first. A server sends its SETTINGS frame without waiting for the
//! client (RFC 9113 section 3.4), so this costs no extra round trip: what was read is then given to
//! the HTTP/2 client.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use http::uri::Authority;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::goaway;
use crate::identity::{Identity, IdentityFault};
use crate::limits::Limits;
use crate::net::{Connection as _, Network, System};
use crate::refusal::Refusal;
use crate::tls::verify::is_strong;

/// Bytes read before HTTP/2 starts: one TLS record (RFC 8446 section 5.1). A SETTINGS frame and the
/// words of a refusal take about a hundred.
const FIRST_READ_BYTES: usize = 16 << 10;

/// The party to reach, and where.
#[derive(Debug, Clone)]
pub struct Target {
    authority: Authority,
    server_name: ServerName<'static>,
    identity: Identity,
}

impl Target {
    /// A party at `address`, `host:port`, whose certificate must name that host and bear
    /// `identity`.
    ///
    /// # Errors
    /// [`ConnectError::Address`] unless `address` is a host name or IP address and a port.
    pub fn new(address: &str, identity: Identity) -> Result<Self, ConnectError> {
        let bad = || ConnectError::Address {
            address: address.to_owned(),
        };
        let authority: Authority = address.parse().map_err(|_| bad())?;
        if address.contains('@') || authority.port_u16().is_none_or(|port| port == 0) {
            return Err(bad());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let server_name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
        Ok(Self {
            authority,
            server_name,
            identity,
        })
    }

    /// The same party behind another host name than its certificate's, such as a tunnel's end:
    /// `name` is what the certificate must name.
    ///
    /// # Errors
    /// [`ConnectError::Address`] unless `name` is a host name or IP address.
    pub fn with_server_name(self, name: &str) -> Result<Self, ConnectError> {
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| ConnectError::Address {
                address: name.to_owned(),
            })?;
        Ok(Self {
            server_name,
            ..self
        })
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.authority.as_str()
    }

    /// Who must answer there.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// Connects to a party. The channel connects again by itself when the connection is lost; a call
/// that cannot then be made has a [`ConnectError`] in its chain of sources, see
/// [`ConnectError::in_chain`].
///
/// # Errors
/// A [`ConnectError`] that says at which step, and why, the first connection failed.
pub async fn connect(
    target: Target,
    config: Arc<ClientConfig>,
    limits: &Limits,
) -> Result<Channel, ConnectError> {
    connect_over(System, target, config, limits).await
}

/// As [`connect`], over this network.
///
/// # Errors
/// As [`connect`].
pub async fn connect_over(
    network: impl Network,
    target: Target,
    config: Arc<ClientConfig>,
    limits: &Limits,
) -> Result<Channel, ConnectError> {
    let address = target.address().to_owned();
    // TLS is the connector's work; tonic would start its own for https.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| ConnectError::Address {
            address: address.clone(),
        })?
        .http2_keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(limits.header_list_bytes_max);
    let dialler = Arc::new(Dialler {
        network,
        target,
        config,
        limits: limits.clone(),
    });
    let connector = tower::service_fn(move |_| {
        let dialler = Arc::clone(&dialler);
        async move { dialler.dial().await.map(|(stream, _)| TokioIo::new(stream)) }
    });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| {
            ConnectError::in_chain(&error)
                .cloned()
                .unwrap_or_else(|| ConnectError::Http2 {
                    address,
                    source: Arc::new(error),
                })
        })
}

/// What a connection that succeeded has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Last moment of the server's certificate.
    pub until: Timestamp,
}

/// Connects to a party once, up to the server's first HTTP/2 frame, and closes.
///
/// # Errors
/// A [`ConnectError`] that says at which step, and why, the connection failed.
pub async fn probe(
    target: Target,
    config: Arc<ClientConfig>,
    limits: &Limits,
) -> Result<Seen, ConnectError> {
    let limits = limits.clone();
    let dialler = Dialler {
        network: System,
        target,
        config,
        limits,
    };
    dialler.dial().await.map(|(_, seen)| seen)
}

/// Makes the connections of one channel.
struct Dialler<N> {
    network: N,
    target: Target,
    config: Arc<ClientConfig>,
    limits: Limits,
}

impl<N: Network> Dialler<N> {
    /// Connects, checks who answers, and waits for the server's first frame.
    async fn dial(
        &self,
    ) -> Result<(impl AsyncRead + AsyncWrite + Unpin + use<N>, Seen), ConnectError> {
        let deadline = Instant::now() + self.limits.connect_timeout;
        let late = |step| {
            move |_| ConnectError::Timeout {
                address: self.address(),
                step,
            }
        };

        let tcp = self.network.dial(self.target.address());
        let tcp = timeout_at(deadline, tcp)
            .await
            .map_err(late(Step::Tcp))?
            .and_then(|tcp| tcp.set_prompt().map(|()| tcp))
            .map_err(|error| self.unreachable(error))?;

        let connector = TlsConnector::from(Arc::clone(&self.config));
        let handshake = connector.connect(self.target.server_name.clone(), tcp);
        let mut tls = timeout_at(deadline, handshake)
            .await
            .map_err(late(Step::Tls))?
            .map_err(|error| self.failed(error))?;
        let seen = self.check_identity(&tls)?;

        let mut first = vec![0; FIRST_READ_BYTES];
        let read = timeout_at(deadline, tls.read(&mut first))
            .await
            .map_err(late(Step::Http2))?
            .map_err(|error| self.failed(error))?;
        first.truncate(read);
        if first.is_empty() {
            return Err(self.failed(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(reason) = goaway::decode(&first) {
            return Err(ConnectError::Refused {
                address: self.address(),
                reason,
            });
        }
        let (rest, writer) = tokio::io::split(tls);
        let stream = tokio::io::join(io::Cursor::new(first).chain(rest), writer);
        Ok((stream, seen))
    }

    /// Refuses a server that our authority vouches for but that is another party.
    fn check_identity(&self, tls: &TlsStream<N::Connection>) -> Result<Seen, ConnectError> {
        let (_, session) = tls.get_ref();
        let certificate = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(AsRef::as_ref)
            .unwrap_or(&[]);
        let found =
            Identity::from_certificate(certificate).map_err(|source| ConnectError::NoIdentity {
                address: self.address(),
                source,
            })?;
        if found != self.target.identity {
            return Err(ConnectError::WrongParty {
                address: self.address(),
                expected: Box::new(self.target.identity.clone()),
                found: Box::new(found),
            });
        }
        let until = X509Certificate::from_der(certificate)
            .ok()
            .and_then(|(_, own)| Timestamp::from_second(own.validity().not_after.timestamp()).ok());
        // It was read a moment ago; a date beyond the calendar is one that never comes.
        let until = until.unwrap_or(Timestamp::MAX);
        Ok(Seen { until })
    }

    /// Puts a name to a failure within or right after the handshake.
    fn failed(&self, error: io::Error) -> ConnectError {
        let address = self.address();
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .cloned();
        match tls {
            Some(rustls::Error::AlertReceived(alert)) => {
                let reason = self.sharpen(Refusal::from_alert(alert));
                ConnectError::Refused { address, reason }
            }
            Some(source) => {
                let reason = Refusal::from_tls(&source);
                ConnectError::Server {
                    address,
                    reason,
                    source,
                }
            }
            None => ConnectError::Closed {
                address,
                source: Arc::new(error),
            },
        }
    }

    /// Tells apart the reasons that share an alert, by a look at our own certificate and clock.
    fn sharpen(&self, reason: Refusal) -> Refusal {
        self.sharpened(reason).unwrap_or(reason)
    }

    fn sharpened(&self, reason: Refusal) -> Option<Refusal> {
        let own = self.config.client_auth_cert_resolver.resolve(&[], &[])?;
        let (_, certificate) = X509Certificate::from_der(own.cert.first()?).ok()?;
        let now = i64::try_from(self.config.time_provider.current_time()?.as_secs()).ok()?;
        let is_early = certificate.validity().not_before.timestamp() > now;
        match reason {
            Refusal::Expired if is_early => Some(Refusal::NotYetValid),
            Refusal::NoRevocationList if !is_strong(certificate.public_key()) => {
                Some(Refusal::WeakKey)
            }
            _ => None,
        }
    }

    fn unreachable(&self, error: io::Error) -> ConnectError {
        ConnectError::Unreachable {
            address: self.address(),
            source: Arc::new(error),
        }
    }

    fn address(&self) -> String {
        self.target.address().to_owned()
    }
}

/// A step on the way to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The host name and the TCP connection.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The server's first HTTP/2 frame.
    Http2,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Self::Tcp => "the TCP connection",
            Self::Tls => "the TLS handshake",
            Self::Http2 => "the first HTTP/2 frame",
        }
    }
}

/// Why a party cannot be reached. [`Self::reason`] gives the stable code.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not a host and a port.
    #[error("{address:?} is not a host and a port")]
    Address {
        /// What was given.
        address: String,
    },
    /// No TCP connection.
    #[error("cannot reach {address}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A step took longer than [`Limits::connect_timeout`].
    #[error("{address} did not answer in time: waited for {}", step.words())]
    Timeout {
        /// `host:port`.
        address: String,
        /// The step that did not end.
        step: Step,
    },
    /// The server refused us.
    #[error("{address} refused us: {reason} ({})", reason.code())]
    Refused {
        /// `host:port`.
        address: String,
        /// Why; of certificates, ours is meant.
        reason: Refusal,
    },
    /// We refuse the server: its certificate or its TLS.
    #[error("we refuse {address}: {reason} ({})", reason.code())]
    Server {
        /// `host:port`.
        address: String,
        /// Why; of certificates, the server's is meant.
        reason: Refusal,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The server's certificate bears no identity.
    #[error("the certificate of {address} bears no identity")]
    NoIdentity {
        /// `host:port`.
        address: String,
        /// What is wrong with it.
        source: IdentityFault,
    },
    /// Another party answers than the one that was asked for.
    #[error("{address} is {found}, not {expected}")]
    WrongParty {
        /// `host:port`.
        address: String,
        /// Who was asked for.
        expected: Box<Identity>,
        /// Who answers.
        found: Box<Identity>,
    },
    /// The server ended the connection without a word.
    #[error("{address} ended the connection before HTTP/2 began")]
    Closed {
        /// `host:port`.
        address: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// HTTP/2 could not be started.
    #[error("cannot start HTTP/2 with {address}")]
    Http2 {
        /// `host:port`.
        address: String,
        /// What tonic said.
        source: Arc<tonic::transport::Error>,
    },
}

impl ConnectError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Address { .. } => "connect.address",
            Self::Unreachable { .. } => "connect.unreachable",
            Self::Timeout { .. } => "connect.timeout",
            Self::Refused { reason, .. } | Self::Server { reason, .. } => reason.code(),
            Self::NoIdentity { source, .. } => source.code(),
            Self::WrongParty { .. } => "identity.wrong_party",
            Self::Closed { .. } => "connect.closed",
            Self::Http2 { .. } => "connect.http2",
        }
    }

    /// The `ConnectError` behind a failed call, found by walking its chain of sources.
    pub fn in_chain<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Role;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let identity = Identity::new("linkage.example", Role::Matcher, "m").unwrap();
        for good in [
            "localhost:7000",
            "127.0.0.1:7000",
            "[::1]:7000",
            "m.example.org:1",
        ] {
            assert_eq!(Target::new(good, identity.clone()).unwrap().address(), good);
        }
        for bad in [
            "",
            "localhost",
            ":7000",
            "a b:1",
            "u@host:1",
            "host:0",
            "host:70000",
            "h/x:1",
        ] {
            let error = Target::new(bad, identity.clone()).unwrap_err();
            assert_eq!(error.reason(), "connect.address", "{bad:?}");
        }
    }
}

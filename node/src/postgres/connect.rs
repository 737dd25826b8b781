//! The connection to a server.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{CONNECT_TIMEOUT_S, Error};
use super::settings::Postgres;
use crate::tls::{self, TlsError};

/// As between nodes: a dead server is noticed within half a minute.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 2;
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a friendly goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection and what moves it.
pub(super) struct Session {
    pub(super) client: Client,
    connection: JoinHandle<()>,
}

impl Session {
    /// Ends the transaction and takes leave. Nothing was written: failing loses nothing.
    pub(super) async fn close(self) {
        let Self { client, connection } = self;
        let _ = client.batch_execute("COMMIT").await;
        drop(client);
        let _ = tokio::time::timeout(GOODBYE, connection).await;
    }
}

/// Connects to the server of `settings`.
pub(super) async fn connect(settings: &Postgres) -> Result<Session, Error> {
    let limit = Duration::from_secs(CONNECT_TIMEOUT_S);
    match tokio::time::timeout(limit, connect_slowly(settings)).await {
        Ok(connected) => connected,
        Err(_) => Err(Error::silent(settings)),
    }
}

async fn connect_slowly(settings: &Postgres) -> Result<Session, Error> {
    let mut config = Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.database)
        .user(&settings.user)
        .application_name("linkage")
        .tcp_user_timeout(USER_TIMEOUT)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES);
    if let Some(password) = &settings.password {
        let password = password.read().map_err(|source| Error::Password {
            user: settings.user.clone(),
            source,
        })?;
        config.password(password.as_slice());
    }
    let failed = |error| Error::connecting(settings, error);
    if settings.is_local() {
        config.ssl_mode(SslMode::Disable);
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        return Ok(Session { client, connection });
    }
    config.ssl_mode(SslMode::Require);
    let tls = client_config(settings).map_err(|source| Error::TlsFiles {
        server: settings.server(),
        source,
    })?;
    let tls = MakeRustlsConnect::new(tls);
    let (client, connection) = config.connect(tls).await.map_err(failed)?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    Ok(Session { client, connection })
}

/// TLS 1.3 or 1.2, as databases are older than nodes; the server's name and authority are checked.
fn client_config(settings: &Postgres) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let ca = settings.ca.clone().unwrap_or_default();
    for certificate in tls::read_certificates(&ca)? {
        roots.add(certificate).map_err(|source| TlsError::BadCa {
            file: ca.clone(),
            source,
        })?;
    }
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?
        .with_root_certificates(Arc::new(roots));
    match (&settings.cert, &settings.key) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(tls::read_certificates(cert)?, tls::read_key(key)?)
            .map_err(|source| TlsError::BadPair {
                cert: cert.clone(),
                key: key.clone(),
                source,
            }),
        _ => Ok(builder.with_no_client_auth()),
    }
}

//! Why a database cannot be read. Once rows are read, nothing of what the server says is shown: its
//! messages quote values.

use std::error::Error as _;
use std::fmt::Write as _;
use std::path::PathBuf;

use rustls::CertificateError;
use tokio_postgres::error::SqlState;

use super::settings::Postgres;
use crate::{secret, tls};

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings contradict each other.
    #[error("the source in PostgreSQL is not acceptable: {0}")]
    Settings(String),
    /// The password cannot be read.
    #[error("the password of role {user} cannot be had")]
    Password {
        /// The role.
        user: String,
        /// Why.
        #[source]
        source: secret::Error,
    },
    /// A file of TLS cannot be used.
    #[error("no TLS to {server} is possible")]
    TlsFiles {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: tls::TlsError,
    },
    /// The system gives no threads or sockets.
    #[error("no connection can be made")]
    System(#[source] std::io::Error),
    /// Nobody answers.
    #[error("{server} cannot be reached; check host, port and what lies between")]
    Unreachable {
        /// The server.
        server: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answers in time.
    #[error("{server} did not answer within {seconds} s; check host, port and what lies between")]
    Silent {
        /// The server.
        server: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The server speaks no TLS.
    #[error(
        "{server} offers no TLS, without which nothing is read over a network; set `ssl = on` there"
    )]
    NoTls {
        /// The server.
        server: String,
    },
    /// The server's certificate is not acceptable.
    #[error("the certificate of {server} is refused: {reason}")]
    Certificate {
        /// The server.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server does not accept ours, or breaks off the handshake.
    #[error("TLS with {server} failed")]
    Tls {
        /// The server.
        server: String,
        /// What rustls or the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not let the role in.
    #[error("{server} refuses role {user}: {message}{}", remedy(.code))]
    Refused {
        /// The server.
        server: String,
        /// The role.
        user: String,
        /// SQLSTATE.
        code: String,
        /// The server's words.
        message: String,
    },
    /// The table or query cannot be prepared.
    #[error("{what} cannot be read: {message}{} (SQLSTATE {code})", remedy(.code))]
    Prepare {
        /// Table or query.
        what: String,
        /// SQLSTATE.
        code: String,
        /// The server's words; it has not looked at a row.
        message: String,
    },
    /// The role could change what it is to read.
    #[error(
        "role {user} could write to table {table}; let Linkage read with a role that cannot: \
         `CREATE ROLE linkage_reader LOGIN; GRANT SELECT ON {table} TO linkage_reader`. To read with \
         this role all the same, set allow_writable_role = true"
    )]
    Writable {
        /// The role.
        user: String,
        /// A table that it may write to.
        table: String,
    },
    /// A column of a type that is not read.
    #[error(
        "column \"{column}\" of {what} has the type {found}; read are text, varchar, char, integers, \
         numeric, date, timestamp and boolean. Write a query that casts it: SELECT {column}::text"
    )]
    Type {
        /// Table or query.
        what: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// The server broke off while rows were read.
    #[error(
        "{what}, after row {row}: the server broke off with SQLSTATE {code}{}; its own log has the \
         message, which may hold values and is not repeated here",
        meaning(.code)
    )]
    Read {
        /// Table or query.
        what: String,
        /// Rows read before.
        row: u64,
        /// SQLSTATE.
        code: String,
    },
    /// The rows did not come in time.
    #[error(
        "{what}, after row {row}: the server was stopped by its time limit or an operator (the limit \
         set here is {seconds} s); raise statement_timeout_s, or make the query cheaper"
    )]
    Timeout {
        /// Table or query.
        what: String,
        /// Rows read before.
        row: u64,
        /// The limit.
        seconds: u32,
    },
    /// The connection is gone.
    #[error(
        "{what}, after row {row}: the connection to {server} was lost; nothing was kept, start again"
    )]
    Lost {
        /// Table or query.
        what: String,
        /// The server.
        server: String,
        /// Rows read before.
        row: u64,
    },
}

/// Seconds that a connection may take to come about.
pub(super) const CONNECT_TIMEOUT_S: u64 = 10;

/// What to do where a role is not let in or a statement is not prepared.
fn remedy(code: &str) -> &'static str {
    match code {
        "28P01" => "; check the password",
        "28000" => "; check role, certificate and the server's pg_hba.conf",
        "3D000" => "; check the name of the database",
        "53300" => "; try later",
        "57P03" => "; the server is starting or stopping, try later",
        "42P01" => "; check its name, with its schema and as the catalogue spells it",
        "42501" => "; grant the role SELECT on it, and USAGE on its schema",
        _ => "",
    }
}

/// What a class of SQLSTATE means (PostgreSQL manual, appendix A).
fn meaning(code: &str) -> String {
    let words = match code.get(..2) {
        Some("22") => "a value that the query cannot take",
        Some("21" | "23" | "42") => "the query or a function in it is wrong",
        Some("40") => "a conflict with another transaction; try again",
        Some("53") => "the server lacks memory, disk or connections",
        Some("54") => "a limit of the server",
        Some("58" | "XX") => "a fault of the server or its disk",
        _ => return String::new(),
    };
    format!(" ({words})")
}

impl Error {
    /// Whether the server or the network failed, not what was asked of it.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. } | Self::Timeout { .. } | Self::System(_)
        )
    }

    /// Why no connection came about.
    pub(super) fn connecting(settings: &Postgres, error: tokio_postgres::Error) -> Self {
        let server = settings.server();
        if let Some(refusal) = error.as_db_error() {
            return Self::Refused {
                server,
                user: settings.user.clone(),
                code: refusal.code().code().to_owned(),
                message: refusal.message().to_owned(),
            };
        }
        if let Some(reason) = refused_certificate(&error, settings) {
            return Self::Certificate { server, reason };
        }
        let words = error.to_string();
        let Some(source) = error.into_source() else {
            return Self::silent(settings);
        };
        if source.to_string() == "server does not support TLS" {
            return Self::NoTls { server };
        }
        match source.downcast::<std::io::Error>() {
            Ok(source) if source.kind() == std::io::ErrorKind::TimedOut => Self::silent(settings),
            Ok(source) if rustls_error(&source).is_some() || words.contains("TLS") => {
                Self::Tls { server, source }
            }
            Ok(source) => Self::Unreachable {
                server,
                source: *source,
            },
            Err(source) => Self::Tls { server, source },
        }
    }

    /// No answer in time.
    pub(super) fn silent(settings: &Postgres) -> Self {
        Self::Silent {
            server: settings.server(),
            seconds: CONNECT_TIMEOUT_S,
        }
    }

    /// Why a statement cannot be prepared. The server's words are shown: it has read no row.
    pub(super) fn preparing(settings: &Postgres, error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refusal) => Self::Prepare {
                what: settings.what(),
                code: refusal.code().code().to_owned(),
                message: refusal.message().to_owned(),
            },
            None => Self::lost(settings, 0),
        }
    }

    /// Why no more rows come after `row`.
    pub(super) fn reading(settings: &Postgres, row: u64, error: &tokio_postgres::Error) -> Self {
        let what = settings.what();
        let Some(code) = error.code() else {
            return Self::lost(settings, row);
        };
        if *code == SqlState::QUERY_CANCELED {
            return Self::Timeout {
                what,
                row,
                seconds: settings.statement_timeout_s,
            };
        }
        // Class 57: the server is being stopped.
        if code.code().starts_with("57") {
            return Self::lost(settings, row);
        }
        let code = code.code().to_owned();
        Self::Read { what, row, code }
    }

    fn lost(settings: &Postgres, row: u64) -> Self {
        Self::Lost {
            what: settings.what(),
            server: settings.server(),
            row,
        }
    }
}

/// The error of rustls within one of the system: what the error says as its source is one further
/// down.
fn rustls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What is wrong with the server's certificate, if that is what went wrong.
fn refused_certificate(error: &tokio_postgres::Error, settings: &Postgres) -> Option<String> {
    let source = error.source()?.downcast_ref::<std::io::Error>()?;
    let rustls::Error::InvalidCertificate(fault) = rustls_error(source)? else {
        return None;
    };
    let ca: PathBuf = settings.ca.clone().unwrap_or_default();
    let mut reason = String::new();
    // Writing to a string does not fail.
    let _ = match fault {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => write!(
            reason,
            "no authority in {} has signed it; check the file, and that this is the server",
            ca.display()
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            write!(
                reason,
                "it is not for the name {}; use the name that it has as host",
                settings.host
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            write!(reason, "it has expired; renew it on the server")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            write!(reason, "it is not valid yet; check the clocks")
        }
        other => write!(reason, "{other}"),
    };
    Some(reason)
}

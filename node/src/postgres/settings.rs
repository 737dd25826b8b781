//! What a configuration says of a source in a database.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::SecretRef;

/// The port of PostgreSQL (IANA).
const PORT: u16 = 5432;

/// Longest time that the server may take for a statement or for the next rows, in seconds, unless
/// the configuration says otherwise: a query that sorts a large table takes minutes before its
/// first row.
const STATEMENT_TIMEOUT_S: u32 = 600;

/// Longest time that may be set: a day.
const STATEMENT_TIMEOUT_S_MAX: u32 = 86_400;

/// A table or a query of a PostgreSQL database, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Name or address of the server, as its certificate has it; or, beginning with `/`, the folder
    /// of the socket of a server on this machine, which needs no TLS.
    pub host: String,
    /// Its port.
    #[serde(default = "port", skip_serializing_if = "is_port")]
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role that reads: one that may read the table and write nothing.
    pub user: String,
    /// Where the role's password lies. Left out where the server asks for none: with a client
    /// certificate, or on a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretRef>,
    /// PEM: the authorities of the server's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// PEM: our certificate for the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// PEM: its private key, readable by its owner only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The table or view: `name` or `schema.name`, as the catalogue spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// A `SELECT` instead of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Longest time for a statement or for the next rows, in seconds.
    #[serde(
        default = "statement_timeout_s",
        skip_serializing_if = "is_statement_timeout_s"
    )]
    pub statement_timeout_s: u32,
    /// Whether to read with a role that could also write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_writable_role: bool,
}

fn port() -> u16 {
    PORT
}

fn is_port(port: &u16) -> bool {
    *port == PORT
}

fn statement_timeout_s() -> u32 {
    STATEMENT_TIMEOUT_S
}

fn is_statement_timeout_s(seconds: &u32) -> bool {
    *seconds == STATEMENT_TIMEOUT_S
}

impl Postgres {
    /// Whether the server is on this machine, behind a socket.
    pub(super) fn is_local(&self) -> bool {
        self.host.starts_with('/')
    }

    /// What is read, for messages.
    pub(super) fn what(&self) -> String {
        match &self.table {
            Some(table) => format!("table {table}"),
            None => "the query".to_owned(),
        }
    }

    /// The server, for messages.
    pub(super) fn server(&self) -> String {
        if self.is_local() {
            return format!("the server at {}", self.host);
        }
        format!("{}:{}", self.host, self.port)
    }

    /// Says what is wrong with the settings by themselves.
    ///
    /// # Errors
    /// What is wrong and what to do. No value of a secret is in it.
    pub fn check(&self) -> Result<(), String> {
        let text = [&self.host, &self.database, &self.user];
        if text
            .iter()
            .any(|text| text.is_empty() || text.contains('\0'))
        {
            return Err("host, database and user must not be empty".into());
        }
        match (&self.table, &self.query) {
            (Some(table), None) => {
                let parts = table.split('.');
                if parts.clone().count() > 2 || parts.clone().any(str::is_empty) {
                    return Err(
                        "table is \"name\" or \"schema.name\"; for other names use query".into(),
                    );
                }
            }
            (None, Some(query)) if statement(query).is_empty() => {
                return Err("query is empty".into());
            }
            (None, Some(_)) => {}
            _ => return Err("name either a table or a query".into()),
        }
        if self.password == Some(SecretRef::Malformed) {
            return Err(crate::secret::Error::Malformed.to_string());
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err("cert and key belong together".into());
        }
        if self.is_local() {
            if self.ca.is_some() || self.cert.is_some() {
                return Err("a socket has no TLS: leave ca, cert and key out".into());
            }
        } else if self.ca.is_none() {
            return Err(
                "ca is missing: the file with the authority of the server's certificate. Over a \
                 network the server is always checked; on its own machine name the folder of its \
                 socket as host"
                    .into(),
            );
        } else if self.password.is_none() && self.cert.is_none() {
            return Err("name a password, or cert and key".into());
        }
        if !(1..=STATEMENT_TIMEOUT_S_MAX).contains(&self.statement_timeout_s) {
            return Err(format!(
                "statement_timeout_s is from 1 to {STATEMENT_TIMEOUT_S_MAX}"
            ));
        }
        Ok(())
    }

    /// Takes relative paths from `folder`.
    pub fn resolve(&mut self, folder: &Path) {
        let files = [&mut self.ca, &mut self.cert, &mut self.key];
        for path in files.into_iter().flatten() {
            *path = folder.join(&path);
        }
        if let Some(password) = &mut self.password {
            password.resolve(folder);
        }
    }

    /// The files that a command reads for the source and must not overwrite.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.ca, &self.cert, &self.key];
        let password = match &self.password {
            Some(SecretRef::File(path)) => Some(path),
            _ => None,
        };
        let files = files.into_iter().flatten().chain(password);
        files.map(PathBuf::as_path)
    }

    /// What stands after `FROM`.
    pub(super) fn relation(&self) -> String {
        match (&self.table, &self.query) {
            (Some(table), _) => table_name(table),
            // The line ends, or a comment at the end would hide the bracket.
            (None, query) => {
                let query = query.as_deref().unwrap_or("");
                format!("({}\n) AS source", statement(query))
            }
        }
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of database {} at {}",
            self.what(),
            self.database,
            self.server()
        )
    }
}

/// A query without the semicolon that ends it.
fn statement(query: &str) -> &str {
    query.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
}

/// A table's name, quoted part by part.
pub(super) fn table_name(table: &str) -> String {
    let parts = table.split('.').map(quoted);
    parts.collect::<Vec<_>>().join(".")
}

/// An identifier that means itself (PostgreSQL manual, 4.1.1).
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
host = "db.health.example"
database = "registry"
user = "linkage_reader"
password = "credential:db"
ca = "ca.pem"
table = "health.people"
"#;

    fn parsed(text: &str) -> Result<Postgres, String> {
        let settings: Postgres = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check()?;
        Ok(settings)
    }

    fn with(change: &str) -> Result<Postgres, String> {
        let key = change.split(' ').next().unwrap();
        let others = GOOD.lines().filter(|line| !line.starts_with(key));
        parsed(&format!(
            "{}\n{change}",
            others.collect::<Vec<_>>().join("\n")
        ))
    }

    #[test]
    fn settings_are_read_and_checked() {
        let mut settings = parsed(GOOD).unwrap();
        assert_eq!((settings.port, settings.statement_timeout_s), (5432, 600));
        assert!(!settings.allow_writable_role);
        assert_eq!(
            settings.to_string(),
            "table health.people of database registry at db.health.example:5432"
        );
        settings.resolve(Path::new("/etc/linkage"));
        assert_eq!(
            settings.ca.as_deref(),
            Some(Path::new("/etc/linkage/ca.pem"))
        );
        let written = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Postgres>(&written).unwrap(), settings);

        for (change, words) in [
            ("table = \"a.b.c\"", "schema.name"),
            ("table = \"\"", "schema.name"),
            ("query = \"SELECT 1\"", "either a table or a query"),
            ("host = \"\"", "must not be empty"),
            ("ca = \"\"\ncert = \"c.pem\"", "cert and key"),
            ("host = \"/run/postgresql\"", "leave ca, cert and key out"),
            ("statement_timeout_s = 0", "from 1 to 86400"),
            ("colour = 1", "colour"),
        ] {
            let message = with(change).unwrap_err();
            assert!(message.contains(words), "{change}: {message}");
        }
        let no_ca = GOOD.replace("ca = \"ca.pem\"\n", "");
        assert!(parsed(&no_ca).unwrap_err().contains("ca is missing"));
        let no_secret = GOOD.replace("password = \"credential:db\"\n", "");
        assert!(parsed(&no_secret).unwrap_err().contains("name a password"));
        let local = no_ca.replace("db.health.example", "/run/postgresql");
        assert!(parsed(&local).is_ok());
    }

    #[test]
    fn a_password_in_the_open_is_refused_and_not_shown() {
        for change in [
            "password = \"hunter2\"",
            "password = 72953",
            "password = 7.2953",
        ] {
            let message = with(change).unwrap_err();
            assert!(message.contains("credential:NAME"), "{message}");
            assert!(
                !message.contains("hunter2") && !message.contains("2953"),
                "{message}"
            );
        }
    }

    #[test]
    fn names_and_queries_mean_themselves() {
        assert_eq!(table_name("health.人口"), "\"health\".\"人口\"");
        assert_eq!(table_name("a\" b"), "\"a\"\" b\"");
        let mut settings = parsed(GOOD).unwrap();
        settings.table = None;
        settings.query = Some("SELECT * FROM t -- all ;\n; ".into());
        assert_eq!(settings.relation(), "(SELECT * FROM t -- all\n) AS source");
    }
}

//! A PostgreSQL server of a test's own: its data in a folder that goes away with it, TLS by a
//! development authority, a port of the loopback device and a socket.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use linkage_node::identity::Role;
use linkage_node::pki::{DevPki, Validity};
use linkage_node::tls::TlsFiles;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;

/// Days that the certificates are valid.
const VALIDITY_DAYS: u32 = 1;

/// Longest start; a slow machine needs seconds.
const START: Duration = Duration::from_secs(60);

/// The database in which tables are made.
pub const DATABASE: &str = "registry";

/// A role that may read the tables named to [`Server::allow`], with [`PASSWORD`].
pub const READER: &str = "linkage_reader";

/// The same by its certificate alone.
pub const CERTIFIED: &str = "linkage_certified";

/// A role that may read and write every table, with [`PASSWORD`].
pub const WRITER: &str = "clerk";

/// The password of the roles.
pub const PASSWORD: &str = "geheim-7193-passwort";

/// The role that makes tables, on the socket only.
const ADMIN: &str = "admin";

/// A running server. Dropping it stops it and removes its data.
pub struct Server {
    dir: TempDir,
    bin: PathBuf,
    account: Option<User>,
    process: Child,
    port: u16,
    /// Who may be told apart by certificate.
    client: TlsFiles,
}

impl Server {
    /// Makes a cluster and starts a server on it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let bin = binaries()?;
        let account = account()?;
        let dir = tempfile::Builder::new().prefix("linkage-pg").tempdir()?;
        // Its server must reach the folder, which is made for this user alone.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let validity = Validity::starting(jiff::Timestamp::now(), VALIDITY_DAYS)?;
        let pki = DevPki::create(&dir.path().join("pki"), "database.test", validity)?;
        let own = pki.issue(Role::Owner, "database", &["localhost"], validity)?;
        let client = pki.issue(Role::Operator, "reader", &[], validity)?;

        let home = dir.path().join("server");
        fs::create_dir(&home)?;
        for (from, to) in [
            (&own.cert, "cert.pem"),
            (&own.key, "key.pem"),
            (&own.ca, "ca.pem"),
        ] {
            fs::copy(from, home.join(to))?;
        }
        fs::set_permissions(home.join("key.pem"), fs::Permissions::from_mode(0o600))?;
        if let Some(account) = &account {
            let (uid, gid) = (Some(account.uid.as_raw()), Some(account.gid.as_raw()));
            for path in [
                &home,
                &home.join("cert.pem"),
                &home.join("key.pem"),
                &home.join("ca.pem"),
            ] {
                chown(path, uid, gid)?;
            }
        }
        let mut initdb = as_account(&bin.join("initdb"), account.as_ref());
        initdb.args([
            "--username",
            ADMIN,
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]);
        initdb
            .args(["--auth", "trust", "--pgdata"])
            .arg(home.join("data"));
        succeeded(initdb.current_dir(&home), "")?;

        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        configure(&home, port)?;
        let log = fs::File::create(dir.path().join("server.log"))?;
        let mut postgres = as_account(&bin.join("postgres"), account.as_ref());
        postgres.arg("-D").arg(home.join("data")).current_dir(&home);
        postgres
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let server = Self {
            process: postgres.spawn()?,
            dir,
            bin,
            account,
            port,
            client,
        };
        server.wait()?;
        server.psql(
            "postgres",
            &format!(
                "CREATE DATABASE {DATABASE};\n\
                 CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}';\n\
                 CREATE ROLE {CERTIFIED} LOGIN IN ROLE {READER};\n\
                 CREATE ROLE {WRITER} LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_read_all_data, pg_write_all_data;"
            ),
        )?;
        Ok(server)
    }

    fn wait(&self) -> Result<()> {
        let since = Instant::now();
        while self.psql("postgres", "SELECT 1").is_err() {
            if since.elapsed() > START {
                let log = fs::read_to_string(self.dir.path().join("server.log"));
                bail!("the server does not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Its port on the loopback device; its certificate is for `localhost`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("server")
    }

    /// The authority of its certificate.
    pub fn ca(&self) -> &Path {
        &self.client.ca
    }

    /// A certificate that lets [`CERTIFIED`] in.
    pub fn client(&self) -> &TlsFiles {
        &self.client
    }

    /// Runs SQL in [`DATABASE`] as one who may do everything; what it prints, unaligned.
    ///
    /// # Errors
    /// With the server's words when it refuses.
    pub fn sql(&self, script: &str) -> Result<String> {
        self.psql(DATABASE, script)
    }

    /// Makes a table of texts with the rows of a CSV file, its columns by the header.
    ///
    /// # Errors
    /// When the file cannot be read or loaded.
    pub fn load(&self, table: &str, csv: &Path) -> Result<()> {
        let text = fs::read_to_string(csv)?;
        let header = text.lines().next().context("an empty file")?;
        let columns: Vec<_> = header
            .split(',')
            .map(|name| format!("\"{name}\" text"))
            .collect();
        self.sql(&format!(
            "CREATE TABLE {table} ({});\n\\copy {table} FROM stdin WITH (FORMAT csv, HEADER)\n{text}\\.\n",
            columns.join(", ")
        ))?;
        self.allow(table)
    }

    /// Lets the readers read a table.
    ///
    /// # Errors
    /// When there is none.
    pub fn allow(&self, table: &str) -> Result<()> {
        self.sql(&format!("GRANT SELECT ON {table} TO {READER}"))
            .map(drop)
    }

    fn psql(&self, database: &str, script: &str) -> Result<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--username",
            ADMIN,
        ]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--dbname", database, "--host"]);
        psql.arg(self.socket())
            .args(["--port", &self.port.to_string()]);
        succeeded(&mut psql, script)
    }

    /// Stops the server at once: every connection breaks off, nothing is told to anyone.
    ///
    /// # Errors
    /// When it is not there.
    pub fn kill(&mut self) -> Result<()> {
        // Its own children are in sessions of their own and follow it only at SIGQUIT.
        let pid = Pid::from_raw(i32::try_from(self.process.id())?);
        kill(pid, Signal::SIGQUIT)?;
        self.process.wait()?;
        Ok(())
    }

    /// Who runs the server's files; none where that is this user.
    pub fn account(&self) -> Option<&User> {
        self.account.as_ref()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not there any more if a test has killed it.
        let _ = self.kill();
    }
}

/// The server's programs: in the PATH, or where Debian puts the newest version.
fn binaries() -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, bin)| bin));
    let whole = |bin: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|p| bin.join(p).exists())
    };
    folders
        .into_iter()
        .find(whole)
        .context("PostgreSQL is not installed; scripts/test installs it")
}

/// As whom to run the server: it refuses to run as root.
fn account() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("the server does not run as root, and there is no user postgres or nobody");
}

fn as_account(program: &Path, account: Option<&User>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

fn configure(home: &Path, port: u16) -> Result<()> {
    let data = home.join("data");
    let mut settings = fs::OpenOptions::new()
        .append(true)
        .open(data.join("postgresql.conf"))?;
    write!(
        settings,
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{home}'\n\
         ssl = on\nssl_cert_file = '{home}/cert.pem'\nssl_key_file = '{home}/key.pem'\n\
         ssl_ca_file = '{home}/ca.pem'\nfsync = off\nmax_connections = 20\nshared_buffers = '16MB'\n\
         jit = off\n",
        home = home.display()
    )?;
    fs::write(
        data.join("pg_hba.conf"),
        format!(
            "local   all {ADMIN}     trust\n\
             local   all {READER}    scram-sha-256\n\
             hostssl all {CERTIFIED} 127.0.0.1/32 cert map=parties\n\
             hostssl all all         127.0.0.1/32 scram-sha-256\n"
        ),
    )?;
    fs::write(
        data.join("pg_ident.conf"),
        format!("parties \"operator reader\" {CERTIFIED}\n"),
    )?;
    Ok(())
}

/// Runs a command with text on its standard input; its standard output.
fn succeeded(command: &mut Command, input: &str) -> Result<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let text = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    // A program that ends early does not read on; its exit code says why.
    let _ = writer.join();
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

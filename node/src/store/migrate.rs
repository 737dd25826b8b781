//! Bringing a database to this program's version: forward only, in numbered steps, each in a
//! transaction, after a copy of what was there. A database of a newer program is left alone.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::Error;

/// Brings `connection`, which is the database at `path`, to the newest version.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &'static [M<'static>],
) -> Result<(), Error> {
    let database = |source| Error::Database {
        path: path.into(),
        source,
    };
    let found = version(connection).map_err(database)?;
    let known = migrations.len();
    if found > known {
        return Err(Error::Newer {
            path: path.into(),
            found,
            known,
        });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        let copy = copy_before(path, found);
        copy_to(connection, &copy)?;
        let copy = copy.display().to_string();
        tracing::info!(
            from = found,
            to = known,
            copy,
            "the database is brought up to date"
        );
    }
    Migrations::from_slice(migrations)
        .to_latest(connection)
        .map_err(|source| Error::Migration {
            path: path.into(),
            source,
        })
}

/// What a look at a database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its version: the number of the last migration.
    pub version: usize,
    /// What SQLite's own check complains of; empty if all is well.
    pub damage: Vec<String>,
}

/// Looks at a database without changing it, also while a node uses it.
///
/// # Errors
/// [`Error::Database`].
pub fn examine(path: &Path) -> Result<Examined, Error> {
    let database = |source| Error::Database {
        path: path.into(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(database)?;
    let read = || -> rusqlite::Result<Examined> {
        let mut check = connection.prepare("PRAGMA integrity_check")?;
        let lines = check.query_map([], |row| row.get::<_, String>(0))?;
        let mut damage = lines.collect::<rusqlite::Result<Vec<_>>>()?;
        damage.retain(|line| line != "ok");
        Ok(Examined {
            version: version(&connection)?,
            damage,
        })
    };
    read().map_err(database)
}

/// Writes a copy of an open database to the new file `to`, readable by this user alone. Others may
/// read and write the database meanwhile: the copy is of one moment.
///
/// # Errors
/// [`Error`]; a file that exists is not replaced.
pub fn copy_to(connection: &Connection, to: &Path) -> Result<(), Error> {
    // SQLite fills a file that is empty, and would make one readable by others.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|source| Error::Io {
            path: to.into(),
            source,
        })?;
    let name = to.to_string_lossy();
    connection
        .execute("VACUUM INTO ?1", [name.as_ref()])
        .map(drop)
        .map_err(|source| Error::Database {
            path: to.into(),
            source,
        })
}

/// The copy of a database that is about to be brought up from `version`; the first name that is
/// free: an interrupted migration is tried again.
fn copy_before(path: &Path, version: usize) -> PathBuf {
    let name = |attempt: u32| path.with_extension(format!("before-{version}.{attempt}.db"));
    let mut attempt = 1;
    while name(attempt).exists() {
        attempt += 1;
    }
    name(attempt)
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    // Below 0 is nothing that this program writes: as good as newer.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ONE: &[M<'static>] = &[M::up("CREATE TABLE a (x)")];
    const TWO: &[M<'static>] = &[
        M::up("CREATE TABLE a (x)"),
        M::up("ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1"),
    ];
    const BROKEN: &[M<'static>] = &[
        M::up("CREATE TABLE a (x)"),
        M::up("UPDATE a SET x = 8; ALTER TABLE absent ADD COLUMN y"),
    ];

    fn open(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    fn value(connection: &Connection, column: &str) -> i64 {
        connection
            .query_row(&format!("SELECT {column} FROM a"), [], |row| row.get(0))
            .unwrap()
    }

    fn with_one(dir: &Path) -> PathBuf {
        let path = dir.join("node.db");
        let mut connection = open(&path);
        migrate(&mut connection, &path, ONE).unwrap();
        connection.execute("INSERT INTO a VALUES (7)", []).unwrap();
        path
    }

    #[test]
    fn a_copy_is_kept_before_each_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = with_one(dir.path());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let mut connection = open(&path);
        migrate(&mut connection, &path, TWO).unwrap();
        assert_eq!(value(&connection, "y"), 8);
        let copy = dir.path().join("node.before-1.1.db");
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(examine(&copy).unwrap().version, 1);
        assert_eq!(value(&open(&copy), "x"), 7);
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = with_one(dir.path());
        for _ in 0..2 {
            let mut connection = open(&path);
            let error = migrate(&mut connection, &path, BROKEN).unwrap_err();
            assert!(matches!(error, Error::Migration { .. }));
            assert_eq!(value(&connection, "x"), 7);
            assert_eq!(version(&connection).unwrap(), 1);
        }
        assert!(dir.path().join("node.before-1.2.db").exists());
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = with_one(dir.path());
        migrate(&mut open(&path), &path, TWO).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = migrate(&mut open(&path), &path, ONE).unwrap_err();
        assert!(matches!(
            error,
            Error::Newer {
                found: 2,
                known: 1,
                ..
            }
        ));
        assert!(error.to_string().contains("version 2"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = with_one(dir.path());
        {
            let connection = open(&path);
            connection.execute_batch("CREATE INDEX i ON a (x)").unwrap();
        }
        assert_eq!(examine(&path).unwrap().damage, Vec::<String>::new());
        let mut bytes = std::fs::read(&path).unwrap();
        // The row's value, 7, in the last page of the table but not of the index.
        let at = 4096 * 2 - 1;
        assert_eq!(bytes[at], 7);
        bytes[at] = 9;
        std::fs::write(&path, bytes).unwrap();
        assert!(!examine(&path).unwrap().damage.is_empty());
    }
}

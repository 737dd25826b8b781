//! A source in a PostgreSQL database: a table or a query, read and never written.
//!
//! * Over a network there is no connection without TLS, and none to a server whose certificate does
//!   not have its name and an authority that we were given.
//! * The session is read-only, and a role that could write is refused unless the settings allow it.
//! * All rows are of one moment: a cursor in one transaction of isolation level REPEATABLE READ. Of
//!   them some thousand are in memory at a time.
//! * The server turns values into text, so that they are what its own CSV would have.
//!
//! What the driver holds of a row, and of the password, is not wiped; what leaves this module is.

mod connect;
mod error;
mod rows;
mod settings;

use linkage_core::schema::Schema;
use tokio::runtime::Builder;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::ingest::{self, Columns, Source};
use connect::Session;
use rows::PostgresRows;
use settings::{quoted, table_name};

pub use error::Error;
pub use settings::Postgres;

/// Tables that the role may write to; `$1` is a table, or null for any.
const WRITABLE: &str = "\
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND ($1::pg_catalog.text IS NULL OR c.oid = pg_catalog.to_regclass($1))
  AND (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
ORDER BY 1 LIMIT 1";

/// Connects, checks columns and types against the schema, and opens the cursor. Not to be called
/// from asynchronous code: it waits.
///
/// # Errors
/// [`ingest::Error`], saying what to do. No value of a row is in it.
pub fn open(settings: &Postgres, schema: &Schema) -> Result<Source, ingest::Error> {
    settings
        .check()
        .map_err(|message| Error::Settings(message).boxed())?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::System(source).boxed())?;
    let (session, columns, total) = runtime.block_on(begin(settings, schema))?;
    let rows = PostgresRows::new(runtime, session, settings.clone(), columns.width(), total);
    Ok(Source::of_rows(
        "PostgreSQL",
        columns,
        Box::new(rows),
        total,
    ))
}

async fn begin(
    settings: &Postgres,
    schema: &Schema,
) -> Result<(Session, Columns, u64), ingest::Error> {
    let session = connect::connect(settings).await.map_err(Error::boxed)?;
    let preparing = |error: tokio_postgres::Error| Error::preparing(settings, &error).boxed();
    let client = &session.client;
    let limit = format!(
        "SET statement_timeout = '{}s'",
        settings.statement_timeout_s
    );
    for statement in [
        "SET default_transaction_read_only = on",
        // How the server writes values as text.
        "SET DateStyle = 'ISO, YMD'",
        limit.as_str(),
        "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    ] {
        client.batch_execute(statement).await.map_err(preparing)?;
    }
    let relation = settings.relation();
    let all = format!("SELECT * FROM {relation}");
    let all = client.prepare(&all).await.map_err(preparing)?;
    if !settings.allow_writable_role {
        refuse_writer(settings, &session).await?;
    }
    let header = all.columns().iter().map(|column| column.name().to_owned());
    let (needed, columns) = Columns::chosen(&settings.to_string(), header.collect(), schema)?;
    let chosen = all.columns().iter().enumerate();
    let chosen = chosen.filter(|(at, _)| needed.contains(at));
    let mut expressions = vec![];
    for (_, column) in chosen {
        if !is_read(column.type_()) {
            return Err(Error::Type {
                what: settings.what(),
                column: column.name().to_owned(),
                found: column.type_().to_string(),
            }
            .boxed());
        }
        expressions.push(as_text(&quoted(column.name()), column.type_()));
    }
    // That the role may not read is found before a row is looked at, though only by execution.
    let reading = |error: tokio_postgres::Error| match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => preparing(error),
        _ => Error::reading(settings, 0, &error).boxed(),
    };
    let count = format!("SELECT pg_catalog.count(*) FROM {relation}");
    let counted = client.query_one(&count, &[]).await.map_err(reading)?;
    let total: i64 = counted.try_get(0).map_err(reading)?;
    let cursor = format!(
        "DECLARE {CURSOR} NO SCROLL CURSOR FOR SELECT {} FROM {relation}",
        expressions.join(", ")
    );
    client.batch_execute(&cursor).await.map_err(reading)?;
    Ok((session, columns, u64::try_from(total).unwrap_or(0)))
}

/// Name of the cursor.
const CURSOR: &str = "linkage_rows";

/// Refuses a role that may write to the table, or with a query to any table of the database.
async fn refuse_writer(settings: &Postgres, session: &Session) -> Result<(), ingest::Error> {
    let preparing = |error: tokio_postgres::Error| Error::preparing(settings, &error).boxed();
    let table = settings.table.as_deref().map(table_name);
    let found = session.client.query_opt(WRITABLE, &[&table]).await;
    let Some(found) = found.map_err(preparing)? else {
        return Ok(());
    };
    Err(Error::Writable {
        user: settings.user.clone(),
        table: found.try_get(0).map_err(preparing)?,
    }
    .boxed())
}

/// Whether values of a type are read.
fn is_read(found: &Type) -> bool {
    [
        Type::TEXT,
        Type::VARCHAR,
        Type::BPCHAR,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::NUMERIC,
        Type::DATE,
        Type::TIMESTAMP,
        Type::BOOL,
    ]
    .contains(found)
}

/// A column as text. A timestamp is a day alone where it is midnight, as dates are often stored.
fn as_text(column: &str, found: &Type) -> String {
    let text = format!("{column}::pg_catalog.text");
    if *found != Type::TIMESTAMP {
        return text;
    }
    format!(
        "CASE WHEN {column}::pg_catalog.time = '00:00' THEN {column}::pg_catalog.date::pg_catalog.text \
         ELSE {text} END"
    )
}

impl Error {
    fn boxed(self) -> ingest::Error {
        ingest::Error::Rows(Box::new(self))
    }
}

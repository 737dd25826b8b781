//! The rows of a cursor.

use std::pin::Pin;

use futures_util::StreamExt as _;
use tokio::runtime::Runtime;
use tokio_postgres::{Row, RowStream};

use super::CURSOR;
use super::connect::Session;
use super::error::Error;
use super::settings::Postgres;
use crate::ingest::{self, BLOCK_ROWS, ROW_BYTES_MAX, Reason, Rows, ValueBlock};

/// Rows of an open cursor. They move only while somebody waits for them.
pub(super) struct PostgresRows {
    runtime: Runtime,
    /// Gone after the last row.
    session: Option<Session>,
    settings: Postgres,
    width: usize,
    /// Rows that the server is sending, and how many came of them.
    fetched: Option<(Pin<Box<RowStream>>, usize)>,
    given: u64,
    total: u64,
}

impl PostgresRows {
    pub(super) fn new(
        runtime: Runtime,
        session: Session,
        settings: Postgres,
        width: usize,
        total: u64,
    ) -> Self {
        Self {
            runtime,
            session: Some(session),
            settings,
            width,
            fetched: None,
            given: 0,
            total,
        }
    }
}

impl Rows for PostgresRows {
    fn next_block(&mut self) -> Result<Option<ValueBlock>, ingest::Error> {
        let mut block = ValueBlock::new(self.width);
        let Self {
            runtime,
            session,
            fetched,
            given,
            ..
        } = self;
        let filled = runtime.block_on(fill(&mut block, session, fetched, given));
        filled.map_err(|error| {
            // An error ends the transaction and with it the cursor.
            self.session = None;
            Error::reading(&self.settings, self.given, &error).boxed()
        })?;
        block.set_read(self.given.min(self.total));
        Ok((!block.is_empty()).then_some(block))
    }

    fn total(&self) -> u64 {
        self.total
    }
}

async fn fill(
    block: &mut ValueBlock,
    session: &mut Option<Session>,
    fetched: &mut Option<(Pin<Box<RowStream>>, usize)>,
    given: &mut u64,
) -> Result<(), tokio_postgres::Error> {
    while !block.is_full() {
        let Some(open) = session else {
            return Ok(());
        };
        let (rows, came) = match fetched {
            Some(fetched) => fetched,
            None => {
                let fetch = format!("FETCH FORWARD {BLOCK_ROWS} FROM {CURSOR}");
                let no_values = std::iter::empty::<i32>();
                let rows = open.client.query_raw(&fetch, no_values).await?;
                fetched.insert((Box::pin(rows), 0))
            }
        };
        match rows.next().await.transpose()? {
            Some(row) => {
                *came += 1;
                *given += 1;
                block.begin_row(*given);
                if row.raw_size_bytes() > ROW_BYTES_MAX {
                    (0..row.len()).for_each(|_| block.push_fault(Reason::TooLong));
                } else {
                    (0..row.len()).for_each(|column| push(block, &row, column));
                }
            }
            None => {
                let last = *came < BLOCK_ROWS;
                *fetched = None;
                if last && let Some(session) = session.take() {
                    session.close().await;
                }
            }
        }
    }
    Ok(())
}

fn push(block: &mut ValueBlock, row: &Row, column: usize) {
    match row.try_get::<_, Option<&str>>(column) {
        Ok(Some(value)) => block.push(value),
        Ok(None) => block.push(""),
        // Every column is text: the server's bytes are none.
        Err(_) => block.push_fault(Reason::Encoding("UTF-8")),
    }
}

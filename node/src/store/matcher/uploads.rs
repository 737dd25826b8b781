//! Uploads: what was announced of each, and how far it is.

use linkage_core::audit::tree::Hash;
use linkage_core::ids::ProjectId;
use linkage_core::upload::state::State;
use linkage_core::upload::{OPERATION_BYTES, Part};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, params};

use super::MatcherStore;
use crate::store::fixed;

/// The columns in the order in which [`upload`] reads them.
const COLUMNS: &str = "id, operation, request, project, party, part, header, digest, root, \
                       chunk_bytes, state, reason";

/// An upload.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Name, random.
    pub id: [u8; 16],
    /// The sender's operation key.
    pub operation: [u8; OPERATION_BYTES],
    /// Digest of what the sender announced under that key.
    pub request: [u8; 32],
    /// The project.
    pub project: ProjectId,
    /// The owner.
    pub party: String,
    /// What of the batch it holds.
    pub part: Part,
    /// The header of that part.
    pub header: Vec<u8>,
    /// SHA-256 over header and rows, as announced.
    pub digest: [u8; 32],
    /// Root over the chunks, as announced.
    pub root: Hash,
    /// Bytes of a full chunk.
    pub chunk_bytes: u32,
    /// How far it is.
    pub state: State,
}

impl MatcherStore {
    /// Keeps a new upload. `now` is in seconds of Unix time.
    ///
    /// # Errors
    /// When the database fails, the operation key is taken, or the owner has a live upload for the
    /// project.
    pub fn add_upload(&self, upload: &Upload, now: i64) -> rusqlite::Result<()> {
        self.0
            .lock()
            .execute(
                &format!(
                    "INSERT INTO upload ({COLUMNS}, touched)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, ?12)"
                ),
                params![
                    upload.id,
                    upload.operation,
                    upload.request,
                    upload.project.as_bytes(),
                    upload.party,
                    upload.part.name(),
                    upload.header,
                    upload.digest,
                    upload.root.0,
                    upload.chunk_bytes,
                    upload.state.name(),
                    now
                ],
            )
            .map(drop)
    }

    /// Moves an upload from one state to another; `false` if it is not in the first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_upload(&self, id: &[u8; 16], from: State, to: State) -> rusqlite::Result<bool> {
        let reason = to.reason().map(|reason| reason.code());
        let moved = self.0.lock().execute(
            "UPDATE upload SET state = ?3, reason = ?4 WHERE id = ?1 AND state = ?2",
            params![id, from.name(), to.name(), reason],
        )?;
        Ok(moved == 1)
    }

    /// Notes that somebody goes on with an upload. `now` is in seconds of Unix time.
    ///
    /// # Errors
    /// When the database fails.
    pub fn touch_upload(&self, id: &[u8; 16], now: i64) -> rusqlite::Result<()> {
        self.0
            .lock()
            .execute(
                "UPDATE upload SET touched = ?2 WHERE id = ?1",
                params![id, now],
            )
            .map(drop)
    }

    /// An upload by its name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn upload(&self, id: &[u8]) -> rusqlite::Result<Option<Upload>> {
        let query = format!("SELECT {COLUMNS} FROM upload WHERE id = ?1");
        let connection = self.0.lock();
        connection.query_row(&query, [id], upload).optional()
    }

    /// The upload of an operation key.
    ///
    /// # Errors
    /// When the database fails.
    pub fn upload_of(&self, operation: &[u8]) -> rusqlite::Result<Option<Upload>> {
        let query = format!("SELECT {COLUMNS} FROM upload WHERE operation = ?1");
        let connection = self.0.lock();
        connection.query_row(&query, [operation], upload).optional()
    }

    /// A project's uploads of this part that are open, sealed or accepted, in order of party.
    ///
    /// # Errors
    /// When the database fails.
    pub fn uploads(&self, id: &ProjectId, part: Part) -> rusqlite::Result<Vec<Upload>> {
        let query = format!(
            "SELECT {COLUMNS} FROM upload
             WHERE project = ?1 AND part = ?2 AND state IN ('open', 'sealed', 'accepted')
             ORDER BY party"
        );
        let connection = self.0.lock();
        let mut statement = connection.prepare(&query)?;
        let of_part = params![id.as_bytes(), part.name()];
        statement.query_map(of_part, upload)?.collect()
    }

    /// A project's uploads that are open, sealed or accepted, in order of party and part.
    ///
    /// # Errors
    /// When the database fails.
    pub fn uploads_of_all_parts(&self, id: &ProjectId) -> rusqlite::Result<Vec<Upload>> {
        let mut uploads = vec![];
        for part in Part::ALL {
            uploads.extend(self.uploads(id, part)?);
        }
        uploads.sort_by(|one, other| one.party.cmp(&other.party));
        Ok(uploads)
    }

    /// Number of an owner's open and sealed uploads, over all projects.
    ///
    /// # Errors
    /// When the database fails.
    pub fn uploads_under_way(&self, party: &str) -> rusqlite::Result<u32> {
        self.0.lock().query_row(
            "SELECT COUNT(*) FROM upload WHERE party = ?1 AND state IN ('open', 'sealed')",
            [party],
            |row| row.get(0),
        )
    }

    /// Open uploads that nobody has gone on with since `before`, in seconds of Unix time.
    ///
    /// # Errors
    /// When the database fails.
    pub fn idle_uploads(&self, before: i64) -> rusqlite::Result<Vec<Upload>> {
        let query = format!("SELECT {COLUMNS} FROM upload WHERE state = 'open' AND touched < ?1");
        let connection = self.0.lock();
        let mut statement = connection.prepare(&query)?;
        statement.query_map([before], upload)?.collect()
    }
}

fn upload(row: &rusqlite::Row<'_>) -> rusqlite::Result<Upload> {
    let bytes = |at: usize| row.get::<_, Vec<u8>>(at);
    let (name, reason): (String, Option<String>) = (row.get(10)?, row.get(11)?);
    let unknown =
        |at, name: &str| rusqlite::Error::InvalidColumnType(at, name.to_owned(), Type::Text);
    let part = Part::stored(&row.get::<_, String>(5)?).ok_or_else(|| unknown(5, "part"))?;
    let state = State::stored(&name, reason.as_deref());
    let state = state.ok_or_else(|| unknown(10, "state"))?;
    Ok(Upload {
        id: fixed(&bytes(0)?)?,
        operation: fixed(&bytes(1)?)?,
        request: fixed(&bytes(2)?)?,
        project: fixed::<32>(&bytes(3)?)?.into(),
        party: row.get(4)?,
        part,
        header: bytes(6)?,
        digest: fixed(&bytes(7)?)?,
        root: Hash(fixed(&bytes(8)?)?),
        chunk_bytes: row.get(9)?,
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(id: u8, party: &str) -> Upload {
        Upload {
            id: [id; 16],
            operation: [id; 16],
            request: [3; 32],
            project: ProjectId::of_manifest(b"p"),
            party: party.to_owned(),
            part: Part::Whole,
            header: vec![4; 9],
            digest: [5; 32],
            root: Hash([6; 32]),
            chunk_bytes: 4096,
            state: State::NEW,
        }
    }

    #[test]
    fn an_owner_has_one_live_upload_of_a_project_and_states_move_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = MatcherStore::open(&dir.path().join("matcher.db")).unwrap();
        let project = ProjectId::of_manifest(b"p");
        // Its manifest and state mean nothing to uploads.
        let insert = "INSERT INTO project VALUES (?1, 'p', NULL, '', NULL)";
        store
            .0
            .lock()
            .execute(insert, [project.as_bytes()])
            .unwrap();
        store.add_upload(&upload(1, "health"), 100).unwrap();
        store.add_upload(&upload(2, "credit"), 100).unwrap();
        // A second live one, and an operation key that is taken.
        assert!(store.add_upload(&upload(3, "health"), 100).is_err());
        let taken = Upload {
            operation: [1; 16],
            ..upload(4, "police")
        };
        assert!(store.add_upload(&taken, 100).is_err());

        let State::Open(open) = store.upload(&[1; 16]).unwrap().unwrap().state else {
            panic!("not open");
        };
        let refused = open.abort().into();
        assert!(store.move_upload(&[1; 16], State::NEW, refused).unwrap());
        assert!(!store.move_upload(&[1; 16], State::NEW, refused).unwrap());
        assert_eq!(store.upload_of(&[1; 16]).unwrap().unwrap().state, refused);
        store.add_upload(&upload(3, "health"), 100).unwrap();
        let live = store.uploads(&project, Part::Whole).unwrap();
        let parties: Vec<_> = live.iter().map(|upload| upload.party.as_str()).collect();
        assert_eq!(parties, ["credit", "health"]);
        // Another part beside it is another upload.
        let keys = Upload {
            part: Part::Keys,
            ..upload(5, "health")
        };
        store.add_upload(&keys, 150).unwrap();
        assert_eq!(store.uploads_under_way("health").unwrap(), 2);

        store.touch_upload(&[2; 16], 200).unwrap();
        let idle = store.idle_uploads(150).unwrap();
        assert_eq!(
            idle.iter().map(|upload| upload.id).collect::<Vec<_>>(),
            [[3; 16]]
        );
    }
}

//! How far an upload is, and giving it up, for the owner's operator.

use linkage_core::audit::action::Action;
use linkage_core::ids::ProjectId;
use linkage_proto::v1;
use linkage_proto::v1::upload_state::State;

use super::resume::ResumeFile;
use crate::authz::permit::Caller;
use crate::fault::Fault;
use crate::owner::Owner;
use crate::owner::peers::relayed;

impl Owner {
    /// How far the project's upload is, by the matcher's word where there is one under way.
    pub(in crate::owner) async fn upload_progress(
        &self,
        id: &ProjectId,
    ) -> Result<v1::UploadProgress, Fault> {
        self.project(id)?;
        let Some((_, name)) = self.under_way(id)? else {
            let state = match self.store.upload_sealed(id)? {
                None => "none",
                Some(false) => "encoded",
                Some(true) => "accepted",
            };
            return Ok(v1::UploadProgress {
                state: state.to_owned(),
                receipts: self.receipt_names(id)?,
                ..v1::UploadProgress::default()
            });
        };
        let state = self.uploads().await?.status(name).await.map_err(relayed)?;
        self.told(id, &state.into_inner())
    }

    /// Gives up the project's upload that is under way; what has come of it is removed at the
    /// matcher. The encoded batch stays: the next upload sends it anew.
    pub(in crate::owner) async fn give_up_upload(
        &self,
        caller: &Caller,
        id: &ProjectId,
    ) -> Result<v1::UploadProgress, Fault> {
        self.project(id)?;
        let (file, name) = self.under_way(id)?.ok_or_else(|| {
            let message = "no upload of this project is under way; one that is accepted cannot be \
                           given up";
            Fault::state("upload.none", message)
        })?;
        self.journal
            .act_of(caller, Action::UploadAbort, hex::encode(&name.upload))
            .project(id)
            .ok()?;
        let state = self.uploads().await?.abort(name).await.map_err(relayed)?;
        file.remove()?;
        self.told(id, &state.into_inner())
    }

    /// The upload that was begun and is not known to have come to its end: the latest of what is
    /// sent one after the other.
    fn under_way(&self, id: &ProjectId) -> Result<Option<(ResumeFile, v1::UploadName)>, Fault> {
        for sent in [self.answer_file(id), self.keys_file(id), self.outbox(id)] {
            let file = ResumeFile::beside(&sent);
            let upload = file.any()?.and_then(|resume| resume.upload);
            if let Some(upload) = upload.and_then(|upload| hex::decode(upload).ok()) {
                let upload = upload.into();
                return Ok(Some((file, v1::UploadName { upload })));
            }
        }
        Ok(None)
    }

    fn told(&self, id: &ProjectId, state: &v1::UploadState) -> Result<v1::UploadProgress, Fault> {
        let word = match state.state() {
            State::Open => "open",
            State::Sealed => "sealed",
            State::Accepted => "accepted",
            State::Refused => "refused",
            State::Expired => "expired",
            State::Unspecified => "unknown",
        };
        Ok(v1::UploadProgress {
            state: word.to_owned(),
            upload: state.upload.clone(),
            next_chunk: state.next_chunk,
            chunks: state.chunks,
            rows: state.rows,
            reason: state.reason.clone(),
            receipts: self.receipt_names(id)?,
        })
    }

    fn receipt_names(&self, id: &ProjectId) -> Result<Vec<String>, Fault> {
        let paths = self.receipts_of(id)?;
        Ok(paths
            .iter()
            .map(|path| path.display().to_string())
            .collect())
    }
}

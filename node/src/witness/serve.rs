//! The service that other nodes call.

use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_proto::v1;

use super::{Answer, Witness};
use crate::authz::permit::{Manifests, Permit};
use crate::fault::Fault;
use crate::journal::Journal;
use crate::procedures::{self, witness};

/// A witness looks at logs, whatever project their entries are about.
impl Manifests for Witness {
    fn known_project(&self, _: &ProjectId) -> Result<Option<Project>, Fault> {
        Ok(None)
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl procedures::Witness for Witness {
    async fn add_checkpoint(
        &self,
        permit: Permit<witness::AddCheckpoint>,
        request: v1::AddCheckpointRequest,
    ) -> Result<v1::AddCheckpointReply, Fault> {
        Ok(
            match self.cosign(permit.caller().identity(), &request.body)? {
                Answer::Cosigned(signature) => v1::AddCheckpointReply {
                    cosignatures: signature.to_string(),
                    ..Default::default()
                },
                Answer::Conflict(kept_size) => v1::AddCheckpointReply {
                    conflict: true,
                    kept_size,
                    ..Default::default()
                },
            },
        )
    }

    async fn get_checkpoint(
        &self,
        _: Permit<witness::GetCheckpoint>,
        request: v1::GetCheckpointRequest,
    ) -> Result<v1::GetCheckpointReply, Fault> {
        let body = self.request(request.old_size)?.to_string();
        Ok(v1::GetCheckpointReply { body })
    }

    async fn add_cosignature(
        &self,
        permit: Permit<witness::AddCosignature>,
        request: v1::AddCosignatureRequest,
    ) -> Result<v1::AddCosignatureReply, Fault> {
        let node = permit.caller().identity();
        self.take(node, request.size, &request.cosignatures)?;
        Ok(v1::AddCosignatureReply {})
    }
}

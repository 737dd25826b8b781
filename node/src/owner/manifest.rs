//! Writing manifests, and checking those of others against what this node knows.

use linkage_core::ids::PartyId;
use linkage_core::project::Project;
use linkage_core::project::manifest::{
    AcceptedRisk, Manifest, Owner as ManifestOwner, Tables, Terms,
};
use linkage_core::schema::{Profile, Schema};
use linkage_proto::v1;
use ring::signature::KeyPair;

use super::Owner;
use crate::fault::Fault;
use crate::settings::NodeRole;
use crate::wire;

impl Owner {
    /// The manifest that an operator asks for, with every owner's keys from this node's own
    /// configuration.
    pub(super) fn draft_manifest(&self, request: v1::DraftRequest) -> Result<Project, Fault> {
        let matcher = self.settings.matcher();
        let matcher =
            matcher.ok_or_else(|| Fault::state("peer.unknown", "no matcher is configured"))?;
        let mut parties: Vec<PartyId> = request
            .owners
            .iter()
            .map(|name| wire::party(name))
            .collect::<Result<_, _>>()?;
        parties.sort();
        let owners = parties
            .iter()
            .map(|party| self.known(party))
            .collect::<Result<_, _>>()?;
        let analysts = request
            .analysts
            .iter()
            .map(|name| wire::party(name))
            .collect::<Result<_, _>>()?;
        let accepted = !request.risk_accepted_by.is_empty() || !request.risk_reason.is_empty();
        let accepted_risk = accepted.then_some(AcceptedRisk {
            profile: Profile::Fields,
            by: request.risk_accepted_by,
            reason: request.risk_reason,
        });
        let predecessor = match request.predecessor.as_ref() {
            [] => None,
            id => Some(self.project(&wire::project_id(id)?)?),
        };
        let schema = Schema::parse(&request.schema)
            .map_err(|error| Fault::from(linkage_core::project::Error::Schema(error)))?;
        let manifest = Manifest {
            version: 1,
            name: request.name,
            purpose: request.purpose,
            legal_basis: request.legal_basis,
            matcher: matcher.party.clone(),
            nonce: hex::encode(crate::entropy::name()?),
            epoch: predecessor
                .as_ref()
                .map_or(1, |before| before.manifest.epoch.saturating_add(1)),
            predecessor: predecessor.map(|before| before.id.to_string()),
            expires: request.expires,
            terms: Terms::of(&schema, &request.schema, request.ask_rows_max_share),
            schema: request.schema,
            tables: Tables {
                analysts,
                threshold_k: request.threshold_k,
                epsilon_per_table: request.epsilon_per_table,
                epsilon_budget: request.epsilon_budget,
            },
            accepted_risk,
            owners,
        };
        let project = Project::parse(&manifest.to_bytes()?)?;
        project.owner(&self.settings.party)?;
        Ok(project)
    }

    /// An owner's entry by what this node knows of it.
    fn known(&self, party: &PartyId) -> Result<ManifestOwner, Fault> {
        if *party == self.settings.party {
            return Ok(ManifestOwner {
                party: party.clone(),
                signing_key: hex::encode(self.signing.public_key().as_ref()),
                sealing_key: hex::encode(self.sealing.public().to_bytes()),
            });
        }
        let peer = self.settings.peer(NodeRole::Owner, party);
        let keys = peer.and_then(|peer| peer.signing_key.clone().zip(peer.sealing_key.clone()));
        let (signing_key, sealing_key) = keys.ok_or_else(|| {
            Fault::state(
                "peer.unknown",
                format!("owner {party} is no [[peer]] of this node"),
            )
        })?;
        Ok(ManifestOwner {
            party: party.clone(),
            signing_key,
            sealing_key,
        })
    }

    /// Refuses a manifest whose parties or keys are not those that this node knows.
    pub(super) fn check_parties(&self, project: &Project) -> Result<(), Fault> {
        let refuse = |message: String| Fault::state("project.parties", message);
        let matcher = self.settings.matcher().map(|peer| &peer.party);
        if matcher != Some(&project.manifest.matcher) {
            return Err(refuse("the manifest names another matcher".to_owned()));
        }
        project.owner(&self.settings.party)?;
        for owner in &project.manifest.owners {
            if self.known(&owner.party)? != *owner {
                let message = format!(
                    "the manifest's keys of {} are not those known here",
                    owner.party
                );
                return Err(refuse(message));
            }
        }
        Ok(())
    }
}

//! Answers to analysts: one random share of a noised table.

use linkage_core::audit::action::Action;
use linkage_core::disclosure::epsilon::Epsilon;
use linkage_core::disclosure::ledger::Ledger;
use linkage_core::disclosure::noise::LaplaceScale;
use linkage_core::extract::ExtractRequest;
use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry};
use linkage_core::ids::PartyId;
use linkage_core::project::Project;
use linkage_core::project::state::Event;
use linkage_oblivious::params::{COUNT_SCALE_LOG2, TableShape};
use linkage_proto::v1;
use tonic::Code;

use super::Owner;
use super::tables::{Part, Table};
use crate::authz::permit::Member;
use crate::fault::Fault;
use crate::procedures::{Extracts, extracts};
use crate::store::owner::Debit;
use crate::wire;

impl Extracts for Owner {
    async fn catalogue(
        &self,
        member: Member<extracts::Catalogue>,
        _: v1::CatalogueRequest,
    ) -> Result<v1::CatalogueReply, Fault> {
        let project = member.project();
        self.store.permit(project, Event::Extract)?;
        let (_, budget) = policy(project)?;
        let spent = self.store.spent_thousandths(&project.id)?;
        let names = self.store.attribute_names(&project.id)?;
        let attributes = project
            .schema
            .attributes
            .iter()
            .filter(|attribute| names.contains(&attribute.name))
            .map(|attribute| v1::CatalogueAttribute {
                name: attribute.name.clone(),
                title: attribute.title.clone().unwrap_or_default(),
                values: attribute.values.clone(),
            })
            .collect();
        Ok(v1::CatalogueReply {
            attributes,
            threshold_k: project.manifest.tables.threshold_k,
            epsilon_per_table: project.manifest.tables.epsilon_per_table.clone(),
            population: project.schema.entity.to_string(),
            epsilon_left_thousandths: u64::from(budget.thousandths()).saturating_sub(spent),
        })
    }

    async fn answer(
        &self,
        member: Member<extracts::Answer>,
        request: v1::AnswerRequest,
    ) -> Result<v1::AnswerReply, Fault> {
        let project = member.project();
        self.journal.require_quorum()?;
        let name = wire::fixed::<16>(&request.request, "the request's name")?;
        let submitted = self
            .journal
            .act_of(member.caller(), Action::ExtractSubmit, hex::encode(name))
            .project(&project.id);
        let table = match self.table(project, &request.sql, name) {
            Ok(table) => {
                submitted.digest("request", &table.digest).ok()?;
                table
            }
            Err(fault) => return Err(submitted.failed(fault)),
        };
        let act = self
            .journal
            .act_of(member.caller(), Action::ExtractAnswer, hex::encode(name))
            .project(&project.id)
            .count("epsilon_thousandths", table.epsilon.thousandths().into())
            .digest("request", &table.digest)
            .intent()?;
        act.end_with(self.tabulate(table).await)
    }
}

impl Owner {
    /// Checks a request against catalogue, state and budget, and takes its epsilon off the budget.
    fn table(&self, project: &Project, sql: &str, name: [u8; 16]) -> Result<Table, Fault> {
        self.store.permit(project, Event::Extract)?;
        let refused = |error: String| Fault::new(Code::InvalidArgument, "extract.request", error);
        let catalogue = catalogue(project).map_err(|error| refused(error.to_string()))?;
        let request =
            ExtractRequest::parse(sql, &catalogue).map_err(|error| refused(error.render()))?;
        let me = self.settings.party.as_str();
        let (mine, theirs, mine_is_row) = match (request.row(), request.column()) {
            (row, column) if row.party == me => (row, column, true),
            (row, column) if column.party == me => (column, row, false),
            _ => {
                return Err(refused(
                    "the request does not ask for an attribute of this owner".into(),
                ));
            }
        };
        let size = |attribute: &str| {
            let found = project
                .schema
                .attributes
                .iter()
                .find(|a| a.name == attribute);
            found.map_or(0, |attribute| {
                u16::try_from(attribute.values.len()).unwrap_or(u16::MAX)
            })
        };
        let (my_size, their_size) = (size(&mine.attribute), size(&theirs.attribute));
        let categories = self
            .store
            .categories(&project.id, &mine.attribute)?
            .ok_or_else(|| {
                refused(format!(
                    "{me} has no attribute {} in this project",
                    mine.attribute
                ))
            })?;
        let positions = self.store.positions(&project.id)?.ok_or_else(|| {
            Fault::state(
                "run.none",
                "this owner has no positions yet; link the project first",
            )
        })?;
        // The side with fewer categories encrypts: the cost grows with the encrypted side.
        let part = match my_size.cmp(&their_size) {
            std::cmp::Ordering::Less => Part::Encrypting,
            std::cmp::Ordering::Greater => Part::Computing,
            std::cmp::Ordering::Equal if mine_is_row => Part::Encrypting,
            std::cmp::Ordering::Equal => Part::Computing,
        };
        let (rows, columns) = match part {
            Part::Encrypting => (my_size, their_size),
            Part::Computing => (their_size, my_size),
        };
        let shape = TableShape::new(positions.range, rows, columns)
            .map_err(|error| Fault::state("extract.shape", error.to_string()))?;
        let (epsilon, budget) = policy(project)?;
        let scale = LaplaceScale::for_count(epsilon, COUNT_SCALE_LOG2)
            .map_err(|error| Fault::state("project.tables", error.to_string()))?;
        let fits = |spent: u64| {
            u32::try_from(spent)
                .ok()
                .and_then(|spent| Ledger::resume(budget, spent).ok())
                .is_some_and(|ledger| ledger.try_debit(epsilon).is_ok())
        };
        match self
            .store
            .debit(&project.id, &name, epsilon.thousandths(), fits)?
        {
            Debit::Done => {}
            Debit::Repeated => {
                let message =
                    "a request of this name was answered before; ask again under a new name";
                return Err(Fault::new(Code::AlreadyExists, "extract.repeated", message));
            }
            Debit::Exhausted => {
                let message = format!(
                    "this owner's answers in this project have used up its privacy budget of {budget}"
                );
                return Err(Fault::new(
                    Code::ResourceExhausted,
                    "extract.budget",
                    message,
                ));
            }
        }
        let placed = categories
            .into_iter()
            .zip(positions.positions)
            .filter_map(|(category, position)| Some((position, category?)))
            .collect();
        Ok(Table {
            name,
            project: project.id,
            run: positions.run,
            digest: request.digest(),
            shape,
            part,
            other: wire::party(&theirs.party)?,
            transposed: (part == Part::Encrypting) != mine_is_row,
            placed,
            epsilon,
            scale,
        })
    }
}

/// Privacy loss per table and in all.
fn policy(project: &Project) -> Result<(Epsilon, Epsilon), Fault> {
    let parse = |text: &str| {
        text.parse::<Epsilon>()
            .map_err(|error| Fault::state("project.tables", error.to_string()))
    };
    let tables = &project.manifest.tables;
    Ok((
        parse(&tables.epsilon_per_table)?,
        parse(&tables.epsilon_budget)?,
    ))
}

/// Every attribute of the schema at every owner; that an owner lacks one, it says itself.
fn catalogue(
    project: &Project,
) -> Result<Catalogue, linkage_core::extract::catalogue::CatalogueError> {
    let entry = |party: &PartyId, attribute: &linkage_core::schema::Attribute| CatalogueEntry {
        party: party.to_string(),
        attribute: attribute.name.clone(),
        title: attribute.title.clone(),
        values: attribute.values.clone(),
    };
    let owners = project.manifest.owners.iter();
    let entries = owners.flat_map(|owner| {
        project
            .schema
            .attributes
            .iter()
            .map(|attribute| entry(&owner.party, attribute))
    });
    Catalogue::new(project.schema.entity, entries.collect())
}

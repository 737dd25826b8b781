//! Answers to analysts: one random share of a noised table, or an owner's own noised table.

use linkage_core::audit::action::Action;
use linkage_core::disclosure::epsilon::Epsilon;
use linkage_core::disclosure::ledger::Ledger;
use linkage_core::disclosure::noise::LaplaceScale;
use linkage_core::disclosure::release::{NoisedTable, Owners, Policy};
use linkage_core::extract::ExtractRequest;
use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry, CatalogueError};
use linkage_core::extract::layout::{Layout, Side};
use linkage_core::ids::PartyId;
use linkage_core::project::Project;
use linkage_core::project::state::Event;
use linkage_oblivious::params::{COUNT_SCALE_LOG2, TableShape};
use linkage_proto::v1;
use linkage_proto::v1::answer_reply::Share;
use tonic::Code;

use super::Owner;
use super::tables::{Part, Table};
use crate::authz::permit::Member;
use crate::fault::Fault;
use crate::procedures::{Extracts, extracts};
use crate::store::owner::Debit;
use crate::wire;

/// What this owner has agreed to answer and paid for.
enum Agreed {
    /// A table with another owner.
    Joint(Table),
    /// A table of the own records alone: how many there are in each cell.
    Own(Vec<i64>),
}

/// A question as it was read here.
struct Asked {
    request: ExtractRequest,
    layout: Layout,
    /// What it costs.
    epsilon: Epsilon,
    /// What all answers may cost.
    budget: Epsilon,
}

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
            epsilon_budget_thousandths: budget.thousandths().into(),
            positions: (self.store.positions(&project.id)?).map_or(0, |positions| positions.range),
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
        let (asked, agreed) = match self.agree(project, &request.sql, name) {
            Ok(agreed) => agreed,
            Err(fault) => return Err(submitted.failed(fault)),
        };
        let digest = asked.request.digest();
        submitted.digest("request", &digest).ok()?;
        let act = self
            .journal
            .act_of(member.caller(), Action::ExtractAnswer, hex::encode(name))
            .project(&project.id)
            .count("epsilon_thousandths", asked.epsilon.thousandths().into())
            .digest("request", &digest)
            .intent()?;
        act.end_with(match agreed {
            Agreed::Joint(table) => self.tabulate(table).await,
            Agreed::Own(counts) => own_table(project, &asked, counts),
        })
    }
}

impl Owner {
    /// Checks a request against catalogue, state and budget, and takes its epsilon off the budget.
    fn agree(
        &self,
        project: &Project,
        sql: &str,
        name: [u8; 16],
    ) -> Result<(Asked, Agreed), Fault> {
        self.store.permit(project, Event::Extract)?;
        let asked = read(project, sql)?;
        let me = self.settings.party.as_str();
        let mine = (asked.layout.side(me))
            .ok_or_else(|| refused("the request does not ask for an attribute of this owner"))?;
        let categories = self.categories(project, mine)?;
        let other = asked.layout.sides().iter().find(|side| side.party() != me);
        let agreed = match other {
            Some(other) => {
                let table = self.joint(project, &asked, (mine, other), &categories, name)?;
                Agreed::Joint(table)
            }
            None => {
                let mut counts = vec![0; mine.size()];
                for category in categories.into_iter().flatten() {
                    if let Some(count) = counts.get_mut(usize::from(category)) {
                        *count += 1;
                    }
                }
                Agreed::Own(asked.layout.in_order(mine, &counts))
            }
        };
        self.pay(project, &asked, &name)?;
        Ok((asked, agreed))
    }

    /// The category of each own record.
    fn categories(&self, project: &Project, mine: &Side) -> Result<Vec<Option<u16>>, Fault> {
        let mut columns = Vec::new();
        for attribute in mine.attributes() {
            let column = self.store.categories(&project.id, attribute)?;
            columns.push(column.ok_or_else(|| {
                let me = mine.party();
                refused(format!("{me} has no attribute {attribute} in this project"))
            })?);
        }
        let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
        let values = |row: usize| columns.iter().map(move |column| *column.get(row)?);
        Ok((0..rows).map(|row| mine.category(values(row))).collect())
    }

    /// The table that this owner computes with another.
    fn joint(
        &self,
        project: &Project,
        asked: &Asked,
        (mine, other): (&Side, &Side),
        categories: &[Option<u16>],
        name: [u8; 16],
    ) -> Result<Table, Fault> {
        let positions = self.store.positions(&project.id)?.ok_or_else(|| {
            Fault::state(
                "run.none",
                "this owner has no positions yet; link the project first",
            )
        })?;
        let (part, rows, columns) = if asked.layout.encrypting() == Some(mine) {
            (Part::Encrypting, mine, other)
        } else {
            (Part::Computing, other, mine)
        };
        let size = |side: &Side| u16::try_from(side.size()).unwrap_or(u16::MAX);
        let shape = TableShape::new(positions.range, size(rows), size(columns))
            .map_err(|error| Fault::state("extract.shape", error.to_string()))?;
        let scale = LaplaceScale::for_count(asked.epsilon, COUNT_SCALE_LOG2)
            .map_err(|error| Fault::state("project.tables", error.to_string()))?;
        let placed = categories
            .iter()
            .zip(positions.positions)
            .filter_map(|(category, position)| Some((position, (*category)?)))
            .collect();
        Ok(Table {
            name,
            project: project.id,
            run: positions.run,
            digest: asked.request.digest(),
            shape,
            part,
            other: wire::party(other.party())?,
            placed,
            scale,
        })
    }

    /// Takes a table's epsilon off the budget.
    fn pay(&self, project: &Project, asked: &Asked, name: &[u8; 16]) -> Result<(), Fault> {
        let (epsilon, budget) = (asked.epsilon, asked.budget);
        let fits = |spent: u64| {
            u32::try_from(spent)
                .ok()
                .and_then(|spent| Ledger::resume(budget, spent).ok())
                .is_some_and(|ledger| ledger.try_debit(epsilon).is_ok())
        };
        match self
            .store
            .debit(&project.id, name, epsilon.thousandths(), fits)?
        {
            Debit::Done => Ok(()),
            Debit::Repeated => {
                let message =
                    "a request of this name was answered before; ask again under a new name";
                Err(Fault::new(Code::AlreadyExists, "extract.repeated", message))
            }
            Debit::Exhausted => {
                let message = format!(
                    "this owner's answers in this project have used up its privacy budget of {budget}"
                );
                Err(Fault::new(
                    Code::ResourceExhausted,
                    "extract.budget",
                    message,
                ))
            }
        }
    }
}

/// Noises and releases a table of one owner's records.
fn own_table(project: &Project, asked: &Asked, counts: Vec<i64>) -> Result<v1::AnswerReply, Fault> {
    let broken = |error: &dyn std::fmt::Display| Fault::state("project.tables", error.to_string());
    let scale = LaplaceScale::for_count(asked.epsilon, 0).map_err(|error| broken(&error))?;
    let mut noise = crate::entropy::generator()?;
    let noised = counts.into_iter().map(|count| {
        let noised = i128::from(count) + scale.sample(&mut noise);
        // Beyond what a count can be, either end says the same.
        i64::try_from(noised).unwrap_or(if noised < 0 { i64::MIN } else { i64::MAX })
    });
    let axes = asked.layout.axes().cloned().collect();
    let noised = NoisedTable::new(axes, noised.collect()).map_err(|error| broken(&error))?;
    let released = noised.release(&Policy {
        k: project.manifest.tables.threshold_k,
        epsilon_per_owner: asked.epsilon,
        owners: Owners::One,
    });
    let cells = released
        .cells()
        .iter()
        .map(|count| v1::OwnCell { count: *count });
    Ok(v1::AnswerReply {
        share: Some(Share::OwnTable(v1::OwnTable {
            cells: cells.collect(),
        })),
        positions: 0,
        bytes_sent: 0,
        bytes_received: 0,
    })
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new(Code::InvalidArgument, "extract.request", message.into())
}

/// Reads a request against the catalogue.
fn read(project: &Project, sql: &str) -> Result<Asked, Fault> {
    let catalogue = catalogue(project).map_err(|error| refused(error.to_string()))?;
    let request =
        ExtractRequest::parse(sql, &catalogue).map_err(|error| refused(error.render()))?;
    let layout = Layout::new(&request, &catalogue)
        .ok_or_else(|| refused("the request does not fit the catalogue"))?;
    let (epsilon, budget) = policy(project)?;
    Ok(Asked {
        request,
        layout,
        epsilon,
        budget,
    })
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
fn catalogue(project: &Project) -> Result<Catalogue, CatalogueError> {
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

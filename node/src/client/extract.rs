//! An analyst's side: what owners offer, and tables put together from their answers.

use linkage_core::disclosure::epsilon::Epsilon;
use linkage_core::disclosure::release::{NoisedTable, Owners, Policy, ReleasedTable};
use linkage_core::extract::ExtractRequest;
use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry};
use linkage_core::extract::layout::Layout;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::schema::{Entity, UnknownEntity};
use linkage_oblivious::context::RunId;
use linkage_oblivious::params::TableShape;
use linkage_oblivious::shares::{MaskShare, PhaseShare, combine};
use linkage_proto::v1;
use linkage_proto::v1::answer_reply::Share;
use serde::Serialize;

use super::{Client, Error, refused};
use crate::fault::Chain;

/// A released table and what it took.
pub struct Extract {
    /// The table.
    pub table: ReleasedTable,
    /// The request.
    pub request: ExtractRequest,
    /// Its random name, by which the owners' audit logs know it, in hexadecimal digits.
    pub name: String,
    /// Bytes that the owners exchanged; none where one owner was asked alone.
    pub bytes_between_owners: u64,
    /// Positions over which was counted; 0 where one owner counted its own records.
    pub positions: u32,
}

/// What one owner offers in a project.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    /// The owner.
    pub party: PartyId,
    /// Its attributes.
    pub attributes: Vec<Offered>,
    /// What is counted.
    pub population: Entity,
    /// Cells of fewer than this many are not shown.
    pub threshold_k: u32,
    /// Privacy loss of a table.
    pub epsilon_per_table: Epsilon,
    /// What is left of the budget, in thousandths.
    pub epsilon_left_thousandths: u64,
    /// The whole budget, in thousandths.
    pub epsilon_budget_thousandths: u64,
    /// Range of the positions that tables are made over; 0 before the project is linked.
    pub positions: u32,
}

/// An attribute that tables may use.
#[derive(Debug, Clone, Serialize)]
pub struct Offered {
    /// Its name in requests.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Its values, in table order.
    pub values: Vec<String>,
}

/// A request that has been read against what the owners offer.
pub(super) struct Question {
    pub offers: Vec<Offer>,
    pub request: ExtractRequest,
    pub layout: Layout,
    pub policy: Policy,
}

impl Client {
    /// What every configured owner offers in a project.
    ///
    /// # Errors
    /// What a node refused, or an answer that cannot be used.
    pub async fn offers(&self, project: &ProjectId) -> Result<Vec<Offer>, Error> {
        let mut offers = Vec::new();
        for party in self.owners() {
            let request = v1::CatalogueRequest {
                project: project.as_bytes().to_vec().into(),
            };
            let reply = self.extracts(party).await?.catalogue(request).await;
            let reply = reply.map_err(|status| refused(party, &status))?;
            offers.push(Offer::new(party.clone(), reply.into_inner())?);
        }
        Ok(offers)
    }

    /// Reads a request against what the owners offer; asks nobody for a table.
    pub(super) async fn question(&self, project: &ProjectId, sql: &str) -> Result<Question, Error> {
        let offers = self.offers(project).await?;
        let none = || Error::Answer("the configuration names no owner's node".to_owned());
        let population = offers.first().ok_or_else(none)?.population;
        let entries = offers.iter().flat_map(Offer::entries).collect();
        let catalogue = Catalogue::new(population, entries)
            .map_err(|error| Error::Request(error.to_string()))?;
        let request =
            ExtractRequest::parse(sql, &catalogue).map_err(|e| Error::Request(e.render()))?;
        let layout = Layout::new(&request, &catalogue)
            .ok_or_else(|| Error::Answer("the request does not fit the catalogue".to_owned()))?;
        let policy = agreed_policy(&offers, &layout)?;
        Ok(Question {
            offers,
            request,
            layout,
            policy,
        })
    }

    /// Asks the owners that a request names, one or two, and puts the table together.
    ///
    /// # Errors
    /// [`Error::Request`] pointing at the word at fault, or what a node refused.
    pub async fn extract(&self, project: &ProjectId, sql: &str) -> Result<Extract, Error> {
        let question = self.question(project, sql).await?;
        let Question {
            request,
            layout,
            policy,
            ..
        } = question;
        let name = crate::entropy::name()?;
        let canonical = request.canonical();
        let (cells, bytes_between_owners, positions) = match layout.sides() {
            [only] => {
                let party = party(only.party())?;
                let answer = self.answer(&party, project, &canonical, name).await?;
                (own_table(answer)?, 0, 0)
            }
            [first, second] => {
                let parties = (party(first.party())?, party(second.party())?);
                let (first, second) = tokio::try_join!(
                    self.answer(&parties.0, project, &canonical, name),
                    self.answer(&parties.1, project, &canonical, name),
                )?;
                let bytes = first.bytes_sent + first.bytes_received;
                let positions = first.positions;
                (
                    put_together(name, &layout, first, second)?,
                    bytes,
                    positions,
                )
            }
            _ => return Err(misfit("the request names no owner")),
        };
        let noised = NoisedTable::new(layout.axes().cloned().collect(), cells)
            .map_err(|error| Error::Answer(error.to_string()))?;
        Ok(Extract {
            table: noised.release(&policy),
            request,
            name: hex::encode(name),
            bytes_between_owners,
            positions,
        })
    }

    async fn answer(
        &self,
        party: &PartyId,
        project: &ProjectId,
        sql: &str,
        name: [u8; 16],
    ) -> Result<v1::AnswerReply, Error> {
        let request = v1::AnswerRequest {
            project: project.as_bytes().to_vec().into(),
            sql: sql.to_owned(),
            request: name.to_vec().into(),
        };
        let reply = self.extracts(party).await?.answer(request).await;
        Ok(reply
            .map_err(|status| refused(party, &status))?
            .into_inner())
    }
}

impl Offer {
    fn new(party: PartyId, reply: v1::CatalogueReply) -> Result<Self, Error> {
        let attribute = |attribute: v1::CatalogueAttribute| Offered {
            name: attribute.name,
            title: Some(attribute.title).filter(|title| !title.is_empty()),
            values: attribute.values,
        };
        Ok(Self {
            party,
            attributes: reply.attributes.into_iter().map(attribute).collect(),
            population: reply
                .population
                .parse()
                .map_err(|error: UnknownEntity| Error::Answer(error.to_string()))?,
            threshold_k: reply.threshold_k,
            epsilon_per_table: reply
                .epsilon_per_table
                .parse()
                .map_err(|_| misfit("an owner names no usable epsilon"))?,
            epsilon_left_thousandths: reply.epsilon_left_thousandths,
            epsilon_budget_thousandths: reply.epsilon_budget_thousandths,
            positions: reply.positions,
        })
    }

    fn entries(&self) -> impl Iterator<Item = CatalogueEntry> {
        self.attributes.iter().map(|attribute| CatalogueEntry {
            party: self.party.to_string(),
            attribute: attribute.name.clone(),
            title: attribute.title.clone(),
            values: attribute.values.clone(),
        })
    }
}

fn misfit(message: &str) -> Error {
    Error::Answer(message.to_owned())
}

fn party(name: &str) -> Result<PartyId, Error> {
    name.parse()
        .map_err(|_| misfit("the request names an unknown owner"))
}

/// The policy of the owners asked, which must be one: all hold the same manifest.
fn agreed_policy(offers: &[Offer], layout: &Layout) -> Result<Policy, Error> {
    let asked = |offer: &&Offer| layout.side(offer.party.as_str()).is_some();
    let mut rules = offers
        .iter()
        .filter(asked)
        .map(|offer| (offer.threshold_k, offer.epsilon_per_table));
    let none = || misfit("the request names no owner");
    let (k, epsilon_per_owner) = rules.next().ok_or_else(none)?;
    if rules.any(|other| other != (k, epsilon_per_owner)) {
        return Err(misfit("the two owners name different rules for tables"));
    }
    Ok(Policy {
        k,
        epsilon_per_owner,
        owners: match layout.sides() {
            [_] => Owners::One,
            _ => Owners::Two,
        },
    })
}

/// The cells of an owner that was asked alone. One that it suppressed comes as a count that no
/// policy shows.
fn own_table(answer: v1::AnswerReply) -> Result<Vec<i64>, Error> {
    let Some(Share::OwnTable(table)) = answer.share else {
        return Err(misfit("the owner did not give a table of its own"));
    };
    let cells = table.cells.iter();
    Ok(cells.map(|cell| cell.count.unwrap_or(i64::MIN)).collect())
}

/// Cells in the order of the dimensions from the shares of two owners.
fn put_together(
    name: [u8; 16],
    layout: &Layout,
    first: v1::AnswerReply,
    second: v1::AnswerReply,
) -> Result<Vec<i64>, Error> {
    if first.positions != second.positions {
        return Err(misfit("the owners' tables have different shapes"));
    }
    let rows = layout
        .encrypting()
        .ok_or_else(|| misfit("the request names no two owners"))?;
    let size = |size: usize| u16::try_from(size).unwrap_or(u16::MAX);
    let columns = layout.cells() / rows.size().max(1);
    let shape = TableShape::new(first.positions, size(rows.size()), size(columns))
        .map_err(|error| Error::Answer(error.to_string()))?;
    let (phase, mask) = match (first.share, second.share) {
        (Some(Share::PhaseShare(phase)), Some(Share::MaskShare(mask)))
        | (Some(Share::MaskShare(mask)), Some(Share::PhaseShare(phase))) => (phase, mask),
        _ => return Err(misfit("the owners did not give one share of each kind")),
    };
    let run = RunId::new(name);
    let bad = |error: &(dyn std::error::Error + 'static)| Error::Answer(Chain(error).to_string());
    let phase = PhaseShare::decode(&phase, run, shape).map_err(|error| bad(&error))?;
    let mask = MaskShare::decode(&mask, run, shape).map_err(|error| bad(&error))?;
    let cells = combine(&phase, &mask).map_err(|error| bad(&error))?;
    Ok(layout.in_order(rows, &cells))
}

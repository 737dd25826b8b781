//! What a request would cost and tell whom, before anybody is asked for a table.

use std::fmt;

use linkage_core::disclosure::epsilon::Thousandths;
use linkage_core::disclosure::release::Policy;
use linkage_core::extract::ExtractRequest;
use linkage_core::extract::layout::Layout;
use linkage_core::ids::ProjectId;
use linkage_oblivious::params::POSITIONS_PER_CHUNK;
use serde::Serialize;

use super::extract::{Offer, Question};
use super::{Client, Error};

/// Bytes of one position in the ciphertext of one category, as `linkage_oblivious` sends it.
const BODY_BYTES: u64 = 5;

/// Bytes of a polynomial: the public key of one category, the mask of one column.
const POLYNOMIAL_BYTES: u64 = 8 * POSITIONS_PER_CHUNK as u64;

/// Bytes of a masked sum.
const CELL_BYTES: u64 = 8;

/// The plan of one request.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The request in its one spelling.
    pub request: String,
    /// Its SHA-256, by which audit logs name it, in hexadecimal digits.
    pub digest: String,
    /// `owner.attribute` and the values of each dimension.
    pub dimensions: Vec<(String, Vec<String>)>,
    /// Number of cells.
    pub cells: usize,
    /// What each owner does and pays.
    pub owners: Vec<Share>,
    /// Smallest noised count that is shown.
    pub shown_min: i64,
    /// Threshold k.
    pub threshold_k: u32,
    /// Standard deviation of the noise in a cell.
    pub noise_sd: f64,
    /// Bytes that the owners exchange, about.
    pub bytes_between_owners: u64,
    /// Why it would be refused now, if it would.
    pub obstacles: Vec<String>,
}

/// One owner's part in a plan.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// The owner.
    pub party: String,
    /// What it does.
    pub duty: Duty,
    /// Combinations of its values.
    pub categories: usize,
    /// Epsilon that the table costs, in thousandths.
    pub cost_thousandths: u64,
    /// Budget before, in thousandths.
    pub left_thousandths: u64,
    /// The whole budget, in thousandths.
    pub budget_thousandths: u64,
}

/// What an owner does for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Counts its own records.
    Counts,
    /// Encrypts its categories, and opens the masked table.
    Encrypts,
    /// Adds up the other's ciphertexts by its own categories.
    Computes,
}

impl Client {
    /// What a request would cost and who would learn what; asks for the owners' catalogues only.
    ///
    /// # Errors
    /// [`Error::Request`] pointing at the word at fault, or what a node refused.
    pub async fn plan(&self, project: &ProjectId, sql: &str) -> Result<Plan, Error> {
        let Question {
            offers,
            request,
            layout,
            policy,
        } = self.question(project, sql).await?;
        Ok(Plan::new(&offers, &request, &layout, &policy))
    }
}

impl Plan {
    fn new(offers: &[Offer], request: &ExtractRequest, layout: &Layout, policy: &Policy) -> Self {
        let asked = || {
            let side = |offer: &Offer| layout.side(offer.party.as_str());
            offers.iter().filter(move |offer| side(offer).is_some())
        };
        let owners: Vec<Share> = layout
            .sides()
            .iter()
            .filter_map(|side| {
                let offer = asked().find(|offer| offer.party.as_str() == side.party())?;
                Some(Share {
                    party: side.party().to_owned(),
                    duty: match layout.encrypting() {
                        None => Duty::Counts,
                        Some(encrypting) if encrypting == side => Duty::Encrypts,
                        Some(_) => Duty::Computes,
                    },
                    categories: side.size(),
                    cost_thousandths: policy.epsilon_per_owner.thousandths().into(),
                    left_thousandths: offer.epsilon_left_thousandths,
                    budget_thousandths: offer.epsilon_budget_thousandths,
                })
            })
            .collect();
        let positions = asked().map(|offer| offer.positions).max().unwrap_or(0);
        let mut obstacles: Vec<String> = owners
            .iter()
            .filter(|owner| owner.left_thousandths < owner.cost_thousandths)
            .map(|owner| format!("the budget of {} is used up", owner.party))
            .collect();
        if owners.len() > 1 && positions == 0 {
            obstacles.push("the project is not linked yet".to_owned());
        }
        Self {
            request: request.canonical(),
            digest: hex::encode(request.digest()),
            dimensions: layout
                .axes()
                .map(|axis| (axis.title(), axis.labels.clone()))
                .collect(),
            cells: layout.cells(),
            shown_min: policy.shown_min(),
            threshold_k: policy.k,
            noise_sd: policy.noise_sd(),
            bytes_between_owners: bytes(layout, positions),
            owners,
            obstacles,
        }
    }
}

/// What the two owners of a table send each other, without the headers of messages.
fn bytes(layout: &Layout, positions: u32) -> u64 {
    let Some(encrypting) = layout.encrypting() else {
        return 0;
    };
    let rows = encrypting.size() as u64;
    let columns = layout.cells() as u64 / rows.max(1);
    let sent = rows * (BODY_BYTES * u64::from(positions) + POLYNOMIAL_BYTES);
    sent + columns * POLYNOMIAL_BYTES + CELL_BYTES * layout.cells() as u64
}

impl Duty {
    /// What the owner does and learns, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Counts => "counts its own records; no other owner takes part",
            Self::Encrypts => {
                "sends its categories encrypted, opens masked sums; learns nothing of the other's values"
            }
            Self::Computes => {
                "adds up ciphertexts, masks the sums; learns nothing of the other's values"
            }
        }
    }
}

/// The plan in words.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        writeln!(f, "request  {}", self.digest)?;
        for (name, labels) in &self.dimensions {
            writeln!(f, "by       {name}: {}", labels.join(", "))?;
        }
        writeln!(
            f,
            "table    {} cells; shown from a noised count of {} (k = {}), noise of standard deviation {:.2}",
            self.cells, self.shown_min, self.threshold_k, self.noise_sd
        )?;
        for owner in &self.owners {
            let duty = owner.duty.words();
            let plural = if owner.categories == 1 { "y" } else { "ies" };
            writeln!(
                f,
                "owner    {}: {} categor{plural}; {duty}",
                owner.party, owner.categories
            )?;
            writeln!(
                f,
                "         pays epsilon {}; of its budget of {}, {} is left",
                Thousandths(owner.cost_thousandths),
                Thousandths(owner.budget_thousandths),
                Thousandths(owner.left_thousandths),
            )?;
        }
        if self.owners.len() > 1 {
            let bytes = crate::report::bytes(self.bytes_between_owners);
            writeln!(f, "traffic  about {bytes} between the two owners")?;
        }
        writeln!(
            f,
            "learns   the analyst: the noised counts that are shown; the matcher is not asked"
        )?;
        for obstacle in &self.obstacles {
            writeln!(f, "refused  {obstacle}")?;
        }
        Ok(())
    }
}

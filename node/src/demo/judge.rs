//! How good a linkage was: against the truth, and against a recomputation from the stored tokens.

use linkage_core::ask::WholeBatch;
use linkage_core::candidates::ScoredPair;
use linkage_core::decide::{Clusters, CurvePoint};
use linkage_core::ids::PartyId;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Outcome};
use linkage_core::schema::Schema;
use linkage_core::upload::Part;

use super::cluster::Cluster;
use super::{Error, Linked, Narrator, Round};
use crate::matcher::link_stored;
use crate::store::matcher::MatcherStore;
use crate::store::owner::OwnerStore;

/// What became of a round.
pub(super) struct Judged {
    /// The run, computed again from what the matcher stores.
    pub outcome: Outcome,
    /// True pairs that no linkage with one record of each owner in a cluster can find.
    pub out_of_reach: u64,
    /// Quality over all pairs of owners.
    pub overall: Option<Quality>,
    /// Measured quality and its curve for each pair of owners, in the outcome's order.
    pub pairs: Vec<Option<(Quality, Vec<CurvePoint>)>>,
    /// Attribute categories and positions by owner, for the table computed in plain.
    pub owners: Vec<OwnerView>,
}

/// What one owner's folder says.
pub(super) struct OwnerView {
    /// The owner.
    pub party: String,
    /// Position of each uploaded row.
    pub positions: Vec<u32>,
    /// Category of each uploaded row, by attribute.
    pub attributes: Vec<(String, Vec<Option<u16>>)>,
}

/// Judges a round by the positions that the owners were given.
pub(super) fn round(
    cluster: &Cluster,
    round: &Round,
    linked: &Linked,
    narrator: &mut dyn Narrator,
) -> Result<Judged, Error> {
    let mut owners = vec![];
    let mut entities = vec![];
    let mut dummies = vec![];
    for (party, _) in &round.sources {
        let Some(node) = cluster.node(party) else {
            continue;
        };
        let store = OwnerStore::open(&node.data_dir.join("owner.db"))?;
        let positions = store
            .positions(&linked.project)?
            .map(|p| p.positions)
            .unwrap_or_default();
        let mut attributes = vec![];
        for name in store.attribute_names(&linked.project)? {
            if let Some(categories) = store.categories(&linked.project, &name)? {
                attributes.push((name, categories));
            }
        }
        owners.push(OwnerView {
            party: party.to_string(),
            positions,
            attributes,
        });
        let entity = |id: &str| {
            let truth = round.truth.as_ref()?;
            truth.get(&(party.clone(), id.to_owned())).copied()
        };
        let ids = store.record_ids(&linked.project)?;
        entities.push(ids.iter().map(|id| entity(id)).collect::<Vec<_>>());
        dummies.push(store.dummies(&linked.project)?);
        narrate_asked(&store, party, linked, narrator)?;
    }
    let marks: Vec<Vec<u32>> = owners.iter().map(|owner| owner.positions.clone()).collect();
    let delivered = Clusters::from_marks(&marks);

    let outcome = recompute(cluster, round, linked)?;
    let again = outcome.clusters.owners().zip(&dummies);
    let again: Vec<Vec<u32>> = again.map(|(marks, dummies)| real(marks, dummies)).collect();
    if !Clusters::from_marks(&again).same_partition(&delivered) {
        let message = "linking the stored tokens again gives other clusters than were delivered";
        return Err(Error::Check(message.to_owned()));
    }
    narrator.line("linking the matcher's stored tokens again gives the same clusters");

    // Pairs are named by the rows of the batches, of which some are nobody's.
    let rows = outcome.clusters.owners().zip(&dummies).zip(&entities);
    let by_row = rows.map(|((marks, dummies), entities)| placed(marks.len(), dummies, entities));
    let by_row = Truth::new(by_row.collect());
    let truth = Truth::new(entities);
    let known = round.truth.is_some();
    let overall = known.then(|| truth.clusters(&delivered));
    let parties = round.sources.len();
    let out_of_reach = (0..parties)
        .flat_map(|a| (a + 1..parties).map(move |b| (a, b)))
        .map(|(a, b)| truth.pairs(a, b) - truth.entities_in_common(a, b))
        .sum();
    let pairs = outcome
        .pairs
        .iter()
        .zip(&outcome.assigned)
        .map(|(pair, assigned)| known.then(|| measure(&by_row, pair, assigned)))
        .collect();
    for pair in &outcome.pairs {
        let name = |at: usize| {
            round
                .sources
                .get(at)
                .map_or("", |(party, _)| party.as_str())
        };
        narrator.line(&format!(
            "{} - {}: {} links, {} by link key; threshold {:.3}, chosen without the truth",
            name(pair.owner_a),
            name(pair.owner_b),
            pair.links,
            pair.keyed,
            pair.calibration.threshold,
        ));
        let estimate = &pair.calibration.estimate;
        narrator.line(&format!(
            "  estimated without the truth: precision {:.4}, recall {:.4}",
            estimate.precision, estimate.recall
        ));
    }
    if let Some(quality) = &overall {
        narrator.line(&format!(
            "against the truth: precision {:.4}, recall {:.4}, F1 {:.4}",
            quality.precision, quality.recall, quality.f1
        ));
        narrator.line(&format!(
            "  {} of {} true pairs found, {} false links",
            quality.correct,
            quality.true_pairs,
            quality.found - quality.correct
        ));
        if out_of_reach > 0 {
            narrator.line(&format!(
                "  {out_of_reach} true pairs are out of reach: an owner has the person twice, a cluster \
                 one record of each owner"
            ));
        }
    }
    Ok(Judged {
        outcome,
        out_of_reach,
        overall,
        pairs,
        owners,
    })
}

fn measure(
    truth: &Truth,
    pair: &run::PairReport,
    assigned: &[ScoredPair],
) -> (Quality, Vec<CurvePoint>) {
    let (a, b) = (pair.owner_a, pair.owner_b);
    let thresholds: Vec<f64> = pair
        .calibration
        .curve
        .iter()
        .map(|point| point.threshold)
        .collect();
    let links = |p: &&ScoredPair| p.link_rule.is_some() || p.score >= pair.calibration.threshold;
    let (mut found, mut correct) = (0, 0);
    for link in assigned.iter().filter(links) {
        found += 1;
        correct += u64::from(truth.together(a, link.a, b, link.b));
    }
    let quality = Quality::of(truth.pairs(a, b), found, correct);
    (quality, truth.curve(a, b, assigned, &thresholds))
}

/// What stands at the rows that are somebody's.
fn real(marks: &[u32], dummies: &[u32]) -> Vec<u32> {
    let rows = (0..).zip(marks);
    let real = rows.filter(|(row, _)| dummies.binary_search(row).is_err());
    real.map(|(_, mark)| *mark).collect()
}

/// Whom each of `rows` rows is about: the entities in their order, and nobody at `dummies`.
fn placed(rows: usize, dummies: &[u32], entities: &[Option<u64>]) -> Vec<Option<u64>> {
    let mut entities = entities.iter().copied();
    let rows = 0..u32::try_from(rows).unwrap_or(u32::MAX);
    rows.map(|row| match dummies.binary_search(&row) {
        Ok(_) => None,
        Err(_) => entities.next().flatten(),
    })
    .collect()
}

/// Says how many tokens never had to leave an owner.
fn narrate_asked(
    store: &OwnerStore,
    party: &PartyId,
    linked: &Linked,
    narrator: &mut dyn Narrator,
) -> Result<(), Error> {
    if let Some(asked) = store.asked(&linked.project)? {
        narrator.line(&format!(
            "{party:<16} {} of {} tokens asked for by the matcher; {} never had to leave",
            asked.hits,
            asked.rows,
            asked.rows.saturating_sub(asked.hits)
        ));
    }
    Ok(())
}

fn recompute(cluster: &Cluster, round: &Round, linked: &Linked) -> Result<Outcome, Error> {
    let none = || Error::Check("the matcher is gone".to_owned());
    let matcher = cluster.matcher().ok_or_else(none)?;
    let store = MatcherStore::open(&matcher.data_dir.join("matcher.db"))?;
    let schema = Schema::parse(&round.schema).map_err(|error| Error::Input(error.to_string()))?;
    let part = match WholeBatch::of(&schema) {
        Some(_) => Part::Whole,
        None => Part::Keys,
    };
    let uploads = store.uploads(&linked.project, part)?;
    let dir = matcher.data_dir.join("uploads");
    link_stored(&dir, &uploads, &schema, true, &|_, _| {})
        .map_err(|fault| Error::Check(fault.to_string()))
}

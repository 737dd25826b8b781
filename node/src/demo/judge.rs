//! How good a linkage was: against the truth, and against a recomputation from the stored tokens.

use linkage_core::candidates::ScoredPair;
use linkage_core::decide::{Clusters, CurvePoint};
use linkage_core::encode::Batch;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Outcome};
use linkage_core::schema::Schema;

use super::cluster::Cluster;
use super::{Error, Linked, Narrator, Round};
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
        entities.push(ids.iter().map(|id| entity(id)).collect());
    }
    let marks: Vec<Vec<u32>> = owners.iter().map(|owner| owner.positions.clone()).collect();
    let delivered = Clusters::from_marks(&marks);

    let outcome = recompute(cluster, round, linked)?;
    if !outcome.clusters.same_partition(&delivered) {
        let message = "linking the stored tokens again gives other clusters than were delivered";
        return Err(Error::Check(message.to_owned()));
    }
    narrator.line("linking the matcher's stored tokens again gives the same clusters");

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
        .map(|(pair, assigned)| known.then(|| measure(&truth, pair, assigned)))
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

fn recompute(cluster: &Cluster, round: &Round, linked: &Linked) -> Result<Outcome, Error> {
    let none = || Error::Check("the matcher is gone".to_owned());
    let matcher = cluster.matcher().ok_or_else(none)?;
    let store = MatcherStore::open(&matcher.data_dir.join("matcher.db"))?;
    let mut batches = vec![];
    for upload in store.uploads(&linked.project)? {
        let path = matcher
            .data_dir
            .join("uploads")
            .join(format!("{}.tokens", hex::encode(upload.id)));
        let what = format!("cannot read {}", path.display());
        let file = std::fs::File::open(&path).map_err(|source| Error::Io { what, source })?;
        let batch = Batch::read(std::io::BufReader::new(file));
        batches.push(batch.map_err(|error| Error::Check(error.to_string()))?);
    }
    let schema = Schema::parse(&round.schema).map_err(|error| Error::Input(error.to_string()))?;
    let columns: Vec<_> = batches.iter().map(Batch::columns).collect();
    let deciding = run::Deciding::keeping(schema.decide);
    run::link(&columns, &schema.candidates, deciding, &|_, _| {})
        .map_err(|error| Error::Check(error.to_string()))
}

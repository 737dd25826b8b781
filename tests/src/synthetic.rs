//! Encoded records of made-up people without their encoding: batches of any size in seconds, for
//! tests of what carries them.
//!
//! A person's token is 2048 random bits, of which each owner's copy has one in sixteen turned; link
//! keys are missing or wrong in one record of ten; four people share a block key.

use std::fs::{self, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, Result};
use linkage_core::ask::WholeBatch;
use linkage_core::encode::Header;
use linkage_core::encode::batch::{BatchWriter, Row};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::Project;
use linkage_core::project::state::Active;
use linkage_core::schema::LinkRole;
use linkage_node::store::owner::Uploaded;

use crate::departments::DATASET;
use crate::world::World;

/// What two numbers mix to: SplitMix64 (Steele, Lea, Flood, 2014).
fn mixed(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Puts a batch of `rows` of `population` people into an owner's outbox, as if it had encoded them.
/// `owner` makes its choice of people and its errors its own.
///
/// # Errors
/// When the files cannot be written.
pub fn fill_outbox(
    world: &World,
    party: &PartyId,
    id: ProjectId,
    owner: u64,
    (rows, population): (u64, u64),
) -> Result<()> {
    let kept = world.matcher_store()?.project(&id)?.context("no project")?;
    let project = Project::parse(&kept.manifest)?;
    let key = kept
        .state
        .active()
        .and_then(Active::key)
        .context("no key")?;
    let header = Header::new(*id.as_bytes(), &project.schema, key, rows);
    let folder = world.data_dir(party).join("outbox");
    fs::create_dir_all(&folder)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join(format!("{id}.tokens")))?;
    let mut writer = BatchWriter::new(BufWriter::new(file), &header)?;
    let words = header.layout().words();
    let mut token = vec![0; words];
    // Every owner walks through the people with its own start and an odd stride: none comes twice.
    let (start, stride) = (
        mixed(owner, 1) % population,
        (mixed(owner, 2) % population) | 1,
    );
    for row in 0..rows {
        let person = (start + row.wrapping_mul(stride)) % population.next_power_of_two();
        for (at, word) in (0_u64..).zip(&mut token) {
            let noise = [3, 4, 5, 6].map(|salt| mixed(person ^ owner << 40, at << 3 ^ salt));
            // One bit in sixteen.
            *word = mixed(person, at) ^ (noise[0] & noise[1] & noise[2] & noise[3]);
        }
        let is_wrong = mixed(person ^ owner << 32, 9).is_multiple_of(10);
        let link_keys: Vec<Option<[u8; 16]>> = (0_u64..)
            .zip(&header.link_columns)
            .map(|(at, column)| {
                let key =
                    u128::from(mixed(person, 100 + at)) << 64 | u128::from(mixed(person, 150 + at));
                let usable = column.role == LinkRole::Link && !is_wrong;
                usable.then(|| key.to_be_bytes())
            })
            .collect();
        let block_keys: Vec<Option<u64>> = (0..u64::from(header.block_keys))
            .map(|at| Some(mixed(person.wrapping_add(at) / 4, 200 + at)))
            .collect();
        writer.push(&Row {
            token: &token,
            link_keys: &link_keys,
            block_keys: &block_keys,
            classes: &[],
        })?;
    }
    writer
        .finish()?
        .0
        .into_inner()
        .map_err(|error| error.into_error())?
        .sync_all()?;
    let ids = (0..rows).map(|row| row.to_string()).collect::<Vec<_>>();
    let uploaded = Uploaded {
        dataset: DATASET,
        summary: "{}",
        attributes: &[],
        dummies: &[],
        keys_first: WholeBatch::of(&project.schema).is_none(),
    };
    let store = world.owner_store(party)?;
    Ok(store.begin_upload(&id, &uploaded, ids.iter().map(String::as_str))?)
}

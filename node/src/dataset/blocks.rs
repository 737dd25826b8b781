//! A source's blocks through all cores and back in order, a bounded number at a time.

use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use crate::ingest::{self, Block, Source};

/// Blocks that the cores work on at a time, per core: enough that none waits for the slowest.
const BLOCKS_PER_CORE: usize = 4;

/// Reads the source in a thread of its own, does `work` on every block on all cores, and puts the
/// results away with `put` in the source's order while the cores work on. `report` is told how
/// much of the source is read.
pub(super) fn through<T, E>(
    mut source: Source,
    work: impl Fn(Block) -> Result<T, E> + Sync,
    mut put: impl FnMut(T) -> Result<(), E> + Send,
    mut report: impl FnMut(u64),
) -> Result<(), E>
where
    T: Send,
    E: Send + From<ingest::Error>,
{
    let depth = BLOCKS_PER_CORE * rayon::current_num_threads();
    let (sender, blocks) = sync_channel(depth);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Some(block) = source.next_block().transpose() {
                let failed = block.is_err();
                // The receiver is gone when the work has failed.
                if sender.send(block).is_err() || failed {
                    return;
                }
            }
        });
        // Owned here, so that leaving early ends the reader.
        let blocks = blocks;
        let mut before: Vec<T> = vec![];
        loop {
            let mut next = Vec::with_capacity(depth);
            // Waits for one block, takes what else is there.
            let first = blocks.recv().ok();
            for block in first.into_iter().chain(blocks.try_iter()).take(depth) {
                next.push(block?);
            }
            if next.is_empty() && before.is_empty() {
                return Ok(());
            }
            let read = next.last().map(Block::read);
            let working = || {
                next.into_par_iter()
                    .map(&work)
                    .collect::<Result<Vec<T>, E>>()
            };
            let mut putting = || before.drain(..).try_for_each(&mut put);
            let (done, put_away) = rayon::join(working, &mut putting);
            put_away?;
            before = done?;
            read.into_iter().for_each(&mut report);
        }
    })
}

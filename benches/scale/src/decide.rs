//! What deciding costs on millions of scored pairs, as JSON lines.
//!
//! ```text
//! decide_scale assign PAIRS ROWS
//! decide_scale clusters OWNERS ROWS ENTITIES
//! decide_scale duplicates ROWS
//! ```
//!
//! `assign` takes PAIRS pairs of two owners with ROWS records each to one-to-one, and to connected
//! components. `clusters` joins the links of all pairs of OWNERS owners with ROWS records of
//! ENTITIES people each, every pair of records of one person and one false link for every twenty.
//! `duplicates` agglomerates one data set in which everyone has four records. Seconds are of
//! processor time, user and system, of the whole process; they leave out making the data, except
//! under `clusters`, where links are made as they are taken.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a bench fails by panicking"
)]

use std::io::Write;
use std::time::Instant;

use linkage_core::candidates::ScoredPair;
use linkage_core::decide::{Agglomeration, Components, Link, Linker, one_to_one};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value, json};

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut words = std::env::args().skip(1);
    let mode = words.next().expect("a mode: assign, clusters, duplicates");
    let mut number = || -> u64 { words.next().and_then(|n| n.parse().ok()).expect("a number") };
    match mode.as_str() {
        "assign" => assign(number(), number() as u32),
        "clusters" => clusters(number() as usize, number(), number()),
        "duplicates" => duplicates(number() as u32),
        _ => panic!("no such mode"),
    }
}

/// Seconds of processor time and of the clock since it was made.
struct Watch(f64, Instant);

impl Watch {
    fn start() -> Self {
        Self(cpu(), Instant::now())
    }

    fn seconds(&self) -> Value {
        json!({ "cpu_s": cpu() - self.0, "wall_s": self.1.elapsed().as_secs_f64() })
    }
}

fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system knows");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
}

/// Most memory held so far.
fn peak_mib() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system knows");
    usage.max_rss() / 1024
}

fn print(line: &Value) {
    writeln!(std::io::stdout(), "{line}").expect("standard output takes it");
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Agreements as of tokens of 1024 bits that are half full: strangers up to 0.6, partners above.
fn agreement(seed: u64, partner: bool) -> f64 {
    let steps = (mix(seed) % 400 + mix(seed ^ 1) % 400) / 2;
    let common = if partner {
        600 + steps
    } else {
        400 + steps / 2
    };
    common as f64 / 1024.0
}

fn assign(pairs: u64, rows: u32) {
    let each = (pairs / u64::from(rows)).max(1);
    let mut made = Vec::with_capacity((each * u64::from(rows)) as usize);
    for a in 0..rows {
        let start = made.len();
        for other in 0..each {
            let seed = u64::from(a) * each + other;
            // The first is the partner of half of the records; a fifth of those share a key.
            let partner = other == 0 && a % 2 == 0;
            let b = if partner {
                a
            } else {
                (mix(seed) % u64::from(rows)) as u32
            };
            made.push(ScoredPair {
                a,
                b,
                link_rule: (partner && a % 10 == 0).then_some((a % 3) as u8),
                score: agreement(seed, partner),
            });
        }
        made[start..].sort_unstable_by_key(|pair| pair.b);
    }
    let data_mib = peak_mib();
    let watch = Watch::start();
    let chosen = one_to_one(&made, rows as usize, rows as usize);
    let assigning = watch.seconds();
    let watch = Watch::start();
    let mut components = Components::new(2 * rows);
    components.join_all(made.iter().map(|pair| (pair.a, rows + pair.b)));
    let joining = watch.seconds();
    let roots = (0..2 * rows).filter(|node| components.root(*node) == *node);
    print(&json!({
        "bench": "assign", "pairs": made.len(), "rows": rows, "chosen": chosen.len(),
        "components": roots.count(), "one_to_one": assigning, "joining": joining,
        "data_mib": data_mib, "peak_mib": peak_mib(),
    }));
}

/// Owner `o` has person (m r + s) mod ENTITIES in row r, for the m and s of its own.
struct Owner {
    factor: u64,
    inverse: u64,
    shift: u64,
}

/// The next prime: every factor below it has an inverse.
fn prime_from(number: u64) -> u64 {
    let prime = |n: u64| {
        (2..)
            .take_while(|d| d * d <= n)
            .all(|d| !n.is_multiple_of(d))
    };
    (number.max(3)..)
        .find(|n| prime(*n))
        .expect("there is always a next")
}

fn power(base: u64, mut exponent: u64, prime: u64) -> u64 {
    let (mut base, mut result) = (base % prime, 1);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = result * base % prime;
        }
        base = base * base % prime;
        exponent /= 2;
    }
    result
}

fn clusters(owners: usize, rows: u64, entities: u64) {
    let prime = prime_from(entities.max(rows));
    let made: Vec<Owner> = (0..owners as u64)
        .map(|owner| {
            let factor = mix(owner) % (prime - 1) + 1;
            Owner {
                factor,
                inverse: power(factor, prime - 2, prime),
                shift: mix(owner ^ 0xff) % prime,
            }
        })
        .collect();
    let watch = Watch::start();
    let mut linker = Linker::new(&vec![rows as usize; owners]);
    let mut links = 0_u64;
    for (owner_a, x) in made.iter().enumerate() {
        for (owner_b, y) in made.iter().enumerate().skip(owner_a + 1) {
            for a in 0..rows {
                let person = (a * x.factor + x.shift) % prime;
                let b = (person + prime - y.shift) % prime * y.inverse % prime;
                let seed = (owner_a * owners + owner_b) as u64 * rows + a;
                let partner = b < rows;
                let wrong = !partner && mix(seed ^ 7).is_multiple_of(20);
                if partner || wrong {
                    links += 1;
                    let b = if partner { b } else { mix(seed) % rows };
                    linker.link(&Link {
                        owner_a,
                        a: a as u32,
                        owner_b,
                        b: b as u32,
                        link_rule: (partner && a % 4 == 0).then_some(0),
                        score: agreement(seed, partner),
                    });
                }
            }
        }
    }
    let found = linker.into_clusters();
    let mut seen = vec![false; prime as usize];
    for owner in &made {
        (0..rows).for_each(|a| seen[((a * owner.factor + owner.shift) % prime) as usize] = true);
    }
    print(&json!({
        "bench": "clusters", "owners": owners, "rows": rows, "links": links,
        "people": seen.iter().filter(|seen| **seen).count(), "clusters": found.count(),
        "refused": found.refused(), "clustering": watch.seconds(), "peak_mib": peak_mib(),
    }));
}

fn duplicates(rows: u32) {
    let mut made = Agglomeration::new(&[rows as usize], None);
    for a in 0..rows {
        for b in a + 1..(a / 4 * 4 + 4).min(rows) {
            made.pair(
                (0, a),
                (0, b),
                agreement(u64::from(a) << 2 | 1, true) - 0.65,
                false,
            );
        }
        for other in 0..4 {
            let seed = u64::from(a) * 4 + other;
            let b = (mix(seed) % u64::from(rows)) as u32;
            // One in fifty is above the threshold.
            let above = (mix(seed ^ 3) % 1000) as f64 / 5000.0 - 0.196;
            made.pair((0, a), (0, b), above, false);
        }
    }
    let watch = Watch::start();
    let found = made.into_clusters(-0.1);
    print(&json!({
        "bench": "duplicates", "rows": rows, "clusters": found.count(),
        "refused": found.refused(), "clustering": watch.seconds(), "peak_mib": peak_mib(),
    }));
}

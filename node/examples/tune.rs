//! scratch
use linkage_core::{encode::*, keys::*, quality::*, run, schema::Schema};
use std::path::Path;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let schema = Schema::parse(&std::fs::read_to_string(&a[1]).unwrap()).unwrap();
    let half = a.get(4).map(|s| s.as_str()) == Some("half");
    for seed in 1..=3u8 {
        let key = ProjectKey::from_bytes([seed; 32]);
        let num = |id: &str| id.split('-').nth(1).unwrap().parse::<u64>().unwrap();
        let mut batches = vec![];
        let mut ents = vec![];
        for (i, p) in a[2..4].iter().enumerate() {
            let d = linkage_node::dataset::encode(
                Path::new(p),
                &schema,
                &key,
                Path::new("/tmp/rej.csv"),
                &mut |_, _| {},
            )
            .unwrap();
            let keep: Vec<usize> = (0..d.ids.len())
                .filter(|r| {
                    !half
                        || if i == 0 {
                            num(&d.ids[*r]) < 3333
                        } else {
                            num(&d.ids[*r]) > 1666
                        }
                })
                .collect();
            let enc: Vec<_> = keep.iter().map(|r| d.encoded[*r].clone()).collect();
            let fill: f64 = enc.iter().map(|e| f64::from(e.token.ones())).sum::<f64>()
                / enc.len() as f64
                / f64::from(schema.token.bits);
            eprintln!(
                "rows {} fill {fill:.3} thin {}",
                enc.len(),
                d.summary.without_token
            );
            let h = Header::new([0; 32], &schema, key.id(), enc.len() as u64);
            batches.push(Batch::decode(&Batch::encode(&h, &enc)).unwrap());
            ents.push(keep.iter().map(|r| Some(num(&d.ids[*r]))).collect());
        }
        let truth = Truth::new(ents);
        for max in [schema.candidates.all_pairs_max, 0] {
            let mut s = schema.candidates.clone();
            s.all_pairs_max = max;
            let t0 = std::time::Instant::now();
            let o = run::link(&batches, &s, &|_, _| {}).unwrap();
            let el = t0.elapsed();
            let q = truth.clusters(&o.clusters);
            let r = &o.pairs[0];
            let ths: Vec<f64> = (0..200).map(|i| 0.4 + f64::from(i) * 0.003).collect();
            let best = truth
                .curve(0, 1, &o.assigned[0], &ths)
                .into_iter()
                .max_by(|x, y| x.f1.total_cmp(&y.f1))
                .unwrap();
            let q1 = |p: &linkage_core::candidates::ScoredPair| truth.together(0, p.a, 1, p.b);
            let pc = o.assigned[0].iter().filter(|p| q1(p)).count() as f64 / q.true_pairs as f64;
            println!(
                "{:?} {:.2?} cmp {} keyed {} | got P {:.4} R {:.4} F {:.4} t {:.3} | best F {:.4} t {:.3} | est P {:.4} R {:.4} F {:.4} M {:.0}/{} | assigned right {:.4} rules {:?}",
                r.method,
                el,
                r.compared,
                r.keyed,
                q.precision,
                q.recall,
                q.f1,
                r.calibration.threshold,
                best.f1,
                best.threshold,
                r.calibration.estimate.precision,
                r.calibration.estimate.recall,
                r.calibration.estimate.f1,
                r.calibration.true_pairs,
                q.true_pairs,
                pc,
                r.block_rules.iter().map(|b| b.pairs).collect::<Vec<_>>()
            );
        }
    }
}

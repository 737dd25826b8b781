//! temp
use linkage_node::demo::*;
struct N;
impl Narrator for N {
    fn heading(&mut self, t: &str) {
        println!("== {t}");
    }
    fn line(&mut self, t: &str) {
        println!("   {t}");
    }
    fn progress(&mut self, _: &str, _: u64, _: u64) {}
    fn progress_end(&mut self) {}
}
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter("info")
        .init();
    if a[1] == "node" {
        let r = linkage_node::serve::run(std::path::Path::new(&a[5]), async {
            let mut t =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
            t.recv().await;
        })
        .await;
        if let Err(e) = r {
            eprintln!("{}", linkage_node::fault::Chain(&e));
            std::process::exit(1)
        }
        return;
    }
    let o = Options {
        out: a[2].clone().into(),
        program: std::env::current_exe().unwrap(),
        input: Input::Generated {
            records: a[3].parse().unwrap(),
            seed: 1,
            dirty: false,
            benchmark: true,
        },
        queries: vec![],
    };
    match run(&o, &mut N).await {
        Ok(f) => println!("{}\n{}", f.summary, f.page.display()),
        Err(e) => {
            eprintln!("Error: {}", linkage_node::fault::Chain(&e));
            std::process::exit(1)
        }
    }
}

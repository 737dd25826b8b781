//! The `linkage` program: parses the command line, runs the command, prints what went wrong, sets
//! the exit code. What the commands do is in [`cli`].

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| cli::screen::fault(panic.location())));
    // A wrong command line ends here, with exit code 2; `--help` and `--version` with 0.
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            cli::screen::failure(failure.error());
            ExitCode::from(failure.exit_code())
        }
    }
}

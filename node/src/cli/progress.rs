//! Progress of long work, on standard error and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar without news redraws its clock.
const TICK: Duration = Duration::from_millis(200);

const BYTES: &str = "  {msg} [{bar:30}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
const SHARE: &str = "  {msg} [{bar:30}] {percent}%  {eta} left";
const COUNT: &str = "  {msg} [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta} left";

/// A bar of `total` bytes; the total may be set later.
pub fn bytes(what: &str, total: u64) -> ProgressBar {
    bar(what, total, BYTES)
}

/// A bar of a share; its total may be set later.
pub fn share(what: &str) -> ProgressBar {
    bar(what, 0, SHARE)
}

/// A bar of `total` things.
pub fn counted(what: &str, total: u64) -> ProgressBar {
    bar(what, total, COUNT)
}

fn bar(what: &str, total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what.to_owned());
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

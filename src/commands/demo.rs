//! `demo`: the main job without a Gateway. Every figure is measured in this run, and nothing is acted: bare ibapi and ours talk to
//! the same simulator over real sockets.
//!
//! A program whose runtime is busy connects with bare ibapi, as one would write it: it starves in mid-handshake, times out, and
//! leaves half-closed connections until the Gateway accepts nobody. Only a restart clears that, so the Gateway is restarted.
//! Then the same program connects with ours. `verdict` says what was promised; a promise that was not kept is the exit code.

mod client;
mod gateway;
mod progress;
mod row;
mod scene;
mod verdict;
mod way;

use serde_json::json;

use self::gateway::{FRAME_DELAY, FRAMES, WEDGED_BY};
use self::progress::Progress;
use self::row::{Row, ms};
use self::scene::{BLOCK, DEADLINE, WORKERS};
use self::verdict::{promises, summary, zombies_of_ours};
use crate::exit::Failed;
use crate::output::{Format, Output, Verdict, print_line};

/// Plays every scene, says what was measured, and judges it.
pub(crate) fn run(output: &Output) -> anyhow::Result<()> {
    if !output.is_json() {
        introduce()?;
    }
    let progress = Progress::new(output.format);
    let rows = scene::perform(&progress);
    progress.finish();
    conclude(output, &rows?)
}

fn introduce() -> std::io::Result<()> {
    for line in [
        format!(
            "The Gateway is a simulator. A login takes it {FRAMES} frames of {} each, and like a real",
            ms(FRAME_DELAY)
        ),
        "one it keeps its end of a connection whose client leaves in mid-handshake (half-closed).".to_owned(),
        format!("When it holds {WEDGED_BY} of those, it accepts nobody."),
        format!(
            "A busy program has a tokio runtime of {WORKERS} threads, all blocked for {} at a time.",
            ms(BLOCK)
        ),
        format!("\"naive\" awaits ibapi on that runtime, with a timeout of {}; \"direct\" and", ms(DEADLINE)),
        "\"subprocess\" are ibkr-connect's modes, with the same timeout and one try each.".to_owned(),
        String::new(),
    ] {
        print_line(&line)?;
    }
    Ok(())
}

fn conclude(output: &Output, rows: &[Row]) -> anyhow::Result<()> {
    let promises = promises(rows);
    let ok = promises.iter().all(|promise| promise.kept);
    let zombies = zombies_of_ours(rows);
    match output.format {
        Format::Json => {
            let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
            let promises: Vec<_> = promises.iter().map(verdict::Promise::to_json).collect();
            let verdict = if ok { Verdict::Fine } else { Verdict::Bad };
            output.json_with(
                verdict,
                &json!({ "rows": rows, "promises": promises, "zombies_left": zombies }),
            )?;
        }
        Format::Table => {
            print_line("")?;
            for line in summary(rows).into_iter().flatten() {
                print_line(&line)?;
            }
            for broken in promises.iter().filter(|promise| !promise.kept) {
                print_line(&format!("NOT KEPT: {}", broken.text))?;
            }
        }
    }
    if ok { Ok(()) } else { Err(Failed(if zombies > 0 { 8 } else { 1 }).into()) }
}

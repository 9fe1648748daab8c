//! What the demo shows while it plays.

use std::io::{self, IsTerminal, Write};

use indicatif::ProgressBar;

use super::row::Row;
use super::scene::Scene;
use crate::output::{Format, print_line};

/// Each scene's title when it begins and its rows when it has ended: on stdout for people, on stderr where stdout is JSON.
#[derive(Debug)]
pub(crate) struct Progress {
    format: Format,
    /// Moves while a scene is on, on a terminal.
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(format: Format) -> Self {
        let bar = if io::stderr().is_terminal() {
            crate::commands::progress(Scene::ALL.len() as u64, "{spinner} {pos}/{len} {elapsed} {msg}")
        } else {
            ProgressBar::hidden()
        };
        Self { format, bar }
    }

    pub(crate) fn begin(&self, scene: Scene) -> io::Result<()> {
        let number = Scene::ALL.iter().position(|one| *one == scene).unwrap_or_default() + 1;
        self.say(&format!("[{number}/{}] {}", Scene::ALL.len(), scene.title()))
    }

    pub(crate) fn end(&self, rows: &[Row]) -> io::Result<()> {
        for row in rows {
            self.say(&format!("      {}", row.line()))?;
        }
        if rows.iter().any(|row| row.wedged) {
            self.say("      the Gateway accepts nobody any more")?;
        }
        self.bar.inc(1);
        Ok(())
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: &str) -> io::Result<()> {
        self.bar.suspend(|| match self.format {
            Format::Table => print_line(text),
            Format::Json => writeln!(io::stderr(), "{text}"),
        })
    }
}

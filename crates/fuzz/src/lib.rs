//! What the fuzz targets of all crates run on. A target is a test next to the parser it attacks (`fuzz_tests.rs`), so that no
//! parser has to be public for it; CONTRIBUTING.md says how to add one.
//!
//! - Under `cargo test`, a target replays its committed corpus and then a short round of mutated inputs, always the same.
//! - With `IBKR_FUZZ_SECONDS=60` the round takes so long, and is another one each time.
//! - Built with `--cfg fuzzing` and coverage counters (`.ci/fuzz` does that), libFuzzer runs the target for
//!   as long as one likes, also on a stable toolchain.
//!
//! This crate knows none of the others.

#![deny(unsafe_code)]

mod corpus;
#[cfg(fuzzing)]
mod guided;
mod mutate;
mod report;
mod run;
mod settings;

use std::path::{Path, PathBuf};

use self::corpus::Seed;

/// A parser under attack: its name, its corpus, and what one input may cost.
///
/// # Behavior
/// - An input fails the target when it panics, takes longer than 5 s, or lets the thread hold more memory than
///   [`memory`](Self::memory) allows. One that hangs for 60 s ends the process.
/// - A failing input is made smaller, written below `target/fuzz/`, and named in the panic.
#[derive(Debug, Clone)]
pub struct Target {
    name: &'static str,
    corpus: PathBuf,
    share: u32,
    longest: usize,
    memory: Memory,
    more: Vec<Seed>,
}

/// How much memory an input may take: `fixed` and `per_byte` of its length, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) fixed: usize,
    pub(crate) per_byte: usize,
}

impl Target {
    /// A parser of what others write: the Gateway, ibapi, a worker. `manifest` is the crate's `CARGO_MANIFEST_DIR`; the corpus
    /// lies in `corpus/NAME` below it.
    pub fn foreign(name: &'static str, manifest: &str) -> Self {
        Self {
            name,
            corpus: Path::new(manifest).join("corpus").join(name),
            share: 1,
            longest: 4 * 1024,
            memory: Memory { fixed: 256 * 1024, per_byte: 64 },
            more: Vec::new(),
        }
    }

    /// A parser of what the user, the kernel or this program writes, or of a single text: it gets a quarter of the time.
    pub fn local(name: &'static str, manifest: &str) -> Self {
        Self { share: 4, ..Self::foreign(name, manifest) }
    }

    /// With another bound on the memory that an input may take: `fixed` and `per_byte` of its length, in bytes.
    #[must_use]
    pub fn memory(self, fixed: usize, per_byte: usize) -> Self {
        Self { memory: Memory { fixed, per_byte }, ..self }
    }

    /// With another length of the longest input, in bytes.
    #[must_use]
    pub fn longest(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// With more inputs to begin with than the corpus has, such as golden files.
    #[must_use]
    pub fn seeds<N: Into<String>>(mut self, seeds: impl IntoIterator<Item = (N, Vec<u8>)>) -> Self {
        self.more.extend(seeds.into_iter().map(|(name, bytes)| Seed { name: name.into(), bytes }));
        self
    }

    /// Runs the target. `attack` asserts what must be true of every input, and says in words what came of it: an input of which
    /// something new comes is mutated further. Digits and quoted texts in those words don't count.
    ///
    /// # Panics
    /// When an input fails, or there is no corpus.
    pub fn run(&self, attack: impl Fn(&[u8]) -> String + std::panic::RefUnwindSafe) {
        let mut seeds = corpus::read(&self.corpus);
        seeds.extend(self.more.iter().cloned());
        run::run(self, &seeds, &attack);
        #[cfg(fuzzing)]
        guided::run(self, &attack);
    }
}

/// A count as a word: for what an attack says, in which digits don't count.
pub fn count(count: usize) -> &'static str {
    match count {
        0 => "none",
        1 => "one",
        2..=4 => "some",
        5..=50 => "many",
        51..=1_000 => "very many",
        _ => "a multitude",
    }
}

//! A run of a target: its corpus, then mutated inputs.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::Target;
use crate::corpus::Seed;
use crate::mutate::Mutator;
use crate::report::{Report, smaller, words};
use crate::settings::Settings;

/// The short round: so many inputs, and no more time than that.
const SHORT_ROUND: (u64, Duration) = (3_000, Duration::from_millis(700));

/// What one input may take, on a machine that does other things too.
const SLOWEST: Duration = Duration::from_secs(5);

/// So many inputs are mutated further at most.
const MOST_KEPT: usize = 2_000;

/// Runs the corpus and a round of mutated inputs.
///
/// # Panics
/// When an input fails.
pub(crate) fn run(target: &Target, seeds: &[Seed], attack: &dyn Fn(&[u8]) -> String) {
    let settings = Settings::of_environment();
    let report = Report::start(target.name);
    let mut round = Round { target, attack, report: &report, outcomes: HashSet::new() };
    let mut pool: Vec<Vec<u8>> = Vec::new();
    for seed in seeds {
        if let Err(failure) = round.one(&seed.bytes) {
            panic!("{}: {} of the corpus: {failure}", target.name, seed.name);
        }
        pool.push(seed.bytes.clone());
    }
    let seeds = pool.len();
    let (most, time) = match settings.time {
        // What comes after the corpus is libFuzzer's.
        _ if cfg!(fuzzing) => (0, Duration::ZERO),
        Some(time) => (u64::MAX, time / target.share),
        None => SHORT_ROUND,
    };
    let mut mutator = Mutator::new(settings.seed ^ hash(&target.name), target.longest);
    let (start, mut count) = (Instant::now(), 0);
    while count < most && start.elapsed() < time {
        let input = mutator.next(&pool);
        count += 1;
        match round.one(&input) {
            Ok(Outcome::New) if pool.len() < MOST_KEPT + seeds => pool.push(input),
            Ok(_) => {}
            Err(failure) => round.give_up(&input, &failure, settings.seed),
        }
    }
    let (name, per_second) = (target.name, count as f64 / start.elapsed().as_secs_f64());
    let kept = pool.len() - seeds;
    report.say(&format!("{name}: {count} inputs, {per_second:.0} a second, {kept} with something new"));
}

/// Whether such words had come before.
enum Outcome {
    New,
    Known,
}

struct Round<'a> {
    target: &'a Target,
    attack: &'a dyn Fn(&[u8]) -> String,
    report: &'a Report,
    outcomes: HashSet<u64>,
}

impl Round<'_> {
    fn one(&mut self, input: &[u8]) -> Result<Outcome, String> {
        self.report.begin(input);
        let outcome = execute(self.target, input, self.attack);
        self.report.end();
        let is_new = self.outcomes.insert(hash(&shape(&outcome?)));
        Ok(if is_new { Outcome::New } else { Outcome::Known })
    }

    fn give_up(&self, input: &[u8], failure: &str, seed: u64) -> ! {
        let input = smaller(input, |input| execute(self.target, input, self.attack).is_err());
        let path = self.report.keep(&input);
        panic!(
            "{}: {failure}\nThe input, made smaller, is {}: move it to {} under a name that says what it is, and mend what \
             it found. The seed was {seed}.",
            self.target.name,
            path.display(),
            self.target.corpus.display()
        );
    }
}

/// Runs one input within its limits.
pub(crate) fn execute(
    target: &Target,
    input: &[u8],
    attack: &dyn Fn(&[u8]) -> String,
) -> Result<String, String> {
    let start = Instant::now();
    let mut outcome = Ok(String::new());
    let used = allocation_counter::measure(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| attack(input)));
    });
    let outcome = outcome.map_err(|panic| words(&*panic))?;
    let most = target.memory.fixed + target.memory.per_byte * input.len();
    if used.bytes_max > most as u64 {
        return Err(format!(
            "{} bytes of memory for {} of input, {most} allowed",
            used.bytes_max,
            input.len()
        ));
    }
    let took = start.elapsed();
    if took > SLOWEST {
        return Err(format!("took {took:?}"));
    }
    Ok(outcome)
}

/// The words without what differs from input to input.
fn shape(words: &str) -> String {
    let mut parts = words.split(['"', '`', '\'']);
    let unquoted: String = std::iter::from_fn(|| {
        let text = parts.next();
        parts.next();
        text
    })
    .collect();
    unquoted.chars().filter(|letter| !letter.is_ascii_digit()).take(300).collect()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(seed: &[u8], memory: (usize, usize), attack: &dyn Fn(&[u8]) -> String) -> Result<(), String> {
        let target = Target::foreign("self_test", "/nowhere").memory(memory.0, memory.1);
        let seeds = [Seed { name: "seed".to_owned(), bytes: seed.to_vec() }];
        catch_unwind(AssertUnwindSafe(|| run(&target, &seeds, attack))).map_err(|panic| words(&*panic))
    }

    #[test]
    fn a_fault_behind_a_magic_number_and_a_length_is_found_and_made_small() {
        let parse = |input: &[u8]| {
            let Some((length, body)) = input.split_first_chunk::<4>() else { return "short".to_owned() };
            let length = u32::from_be_bytes(*length) as usize;
            assert!(!(length > body.len() && body.starts_with(b"GO")), "out of bounds");
            format!("of {}", body.starts_with(b"GO"))
        };
        let failure = run_on(b"\0\0\0\x0aGO and more", (1 << 20, 64), &parse).unwrap_err();
        assert!(failure.contains("out of bounds"), "{failure}");
        let path = failure.split("made smaller, is ").nth(1).unwrap().split(": move").next().unwrap();
        let input = std::fs::read(path).unwrap();
        assert!(input.len() <= 6 && input[4..].starts_with(b"GO"), "{input:?}");
    }

    #[test]
    fn an_input_of_the_corpus_is_named() {
        let failure = run_on(b"x", (1 << 20, 64), &|_| panic!("no")).unwrap_err();
        assert!(failure.contains("seed of the corpus: no"), "{failure}");
    }

    #[test]
    fn memory_out_of_proportion_is_a_fault() {
        let failure = run_on(b"x", (1_000, 1), &|_| format!("{}", vec![0_u8; 5_000].len())).unwrap_err();
        assert!(failure.contains("bytes of memory for"), "{failure}");
    }

    #[test]
    fn words_are_compared_without_numbers_and_quotes() {
        assert_eq!(shape("line 7: \"abc\" is no `x` at 12"), shape("line 19: \"q\" is no `long` at 3"));
        assert_ne!(shape("line 7"), shape("column 7"));
    }
}

//! What runs the cases: a test for each case of each candidate.

use std::process::ExitCode;
use std::sync::Arc;

use ibkr_connect_core::Target;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::Backend;
use crate::cases::{CASES, Case, Check, healthy};
use crate::support::backend::target;

/// A backend under test: its name, how it is made, and what it lacks.
pub struct Candidate {
    name: String,
    make: Arc<dyn Fn() -> Box<dyn Backend> + Send + Sync>,
    gateway: ReachesGateway,
    lacks: Vec<(String, String)>,
}

enum ReachesGateway {
    Yes,
    No(String),
}

impl Candidate {
    /// A candidate that has to pass every case, as `NAME::CASE`. `make` is called for each case.
    pub fn new<B: Backend + 'static>(
        name: impl Into<String>,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(move || Box::new(make()) as Box<dyn Backend>);
        Self { name: name.into(), make, gateway: ReachesGateway::Yes, lacks: Vec::new() }
    }

    /// It does not pass this case, and why. The run shows the case as ignored, with the reason.
    #[must_use]
    pub fn lacks(mut self, case: impl Into<String>, reason: impl Into<String>) -> Self {
        self.lacks.push((case.into(), reason.into()));
        self
    }

    /// It does not reach a Gateway, and why: a mock. Its connector is asked to connect to nobody, and the run shows the cases that
    /// watch the Gateway's side as ignored, with the reason.
    #[must_use]
    pub fn without_gateway(mut self, reason: impl Into<String>) -> Self {
        self.gateway = ReachesGateway::No(reason.into());
        self
    }

    fn trials(&self) -> impl Iterator<Item = Trial> {
        CASES.iter().map(|case| self.trial(case)).chain([self.knows_the_cases()])
    }

    fn trial(&self, case: &'static Case) -> Trial {
        let name = format!("{}::{}", self.name, case.name);
        if let Some(reason) = self.why_not(case) {
            let reason = reason.to_owned();
            return Trial::ignorable_test(name, || Ok(Completion::ignored_with(reason)));
        }
        let make = Arc::clone(&self.make);
        let check: fn(&dyn Backend, &Case) = match self.gateway {
            ReachesGateway::Yes => with_gateway,
            ReachesGateway::No(_) => without_gateway,
        };
        Trial::test(name, move || {
            check(&*make(), case);
            Ok(())
        })
    }

    /// Why it does not run this case.
    fn why_not(&self, case: &Case) -> Option<&str> {
        let listed = self.lacks.iter().find(|(name, _)| name == case.name).map(|(_, reason)| reason);
        match (&self.gateway, &case.check) {
            (ReachesGateway::No(reason), Check::Gateway(_)) => listed.or(Some(reason)),
            _ => listed,
        }
        .map(String::as_str)
    }

    /// A case that was renamed or removed would otherwise leave its reason behind.
    fn knows_the_cases(&self) -> Trial {
        let is_unknown = |name: &&str| !CASES.iter().any(|case| case.name == *name);
        let names = self.lacks.iter().map(|(name, _)| name.as_str());
        let unknown: Vec<String> = names.filter(is_unknown).map(str::to_owned).collect();
        Trial::test(format!("{}::what_it_lacks_are_cases", self.name), move || {
            if unknown.is_empty() {
                return Ok(());
            }
            Err(Failed::from(format!("there is no case {}; --list shows them", unknown.join(", "))))
        })
    }
}

/// Runs every case on each candidate, as the arguments of this program say. Its end is the program's.
pub fn run(candidates: impl IntoIterator<Item = Candidate>) -> ExitCode {
    let trials = candidates.into_iter().flat_map(|candidate| candidate.trials().collect::<Vec<_>>());
    libtest_mimic::run(&arguments(), trials.collect()).exit_code()
}

/// A case mostly waits for the Gateway, so three of them share a processor.
fn arguments() -> Arguments {
    let mut arguments = Arguments::from_args();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(3 * processors);
    arguments
}

fn with_gateway(backend: &dyn Backend, case: &Case) {
    match case.check {
        Check::Gateway(check) => check(backend),
        Check::Any(check) => {
            let gateway = healthy();
            check(backend.connector(), &target(gateway.port()));
            backend.assert_left_nothing(gateway.port());
            assert_eq!(gateway.stats().zombies_held_max, 0);
        }
    }
}

fn without_gateway(backend: &dyn Backend, case: &Case) {
    if let Check::Any(check) = case.check {
        check(backend.connector(), &Target::default());
        backend.assert_clean();
    }
}

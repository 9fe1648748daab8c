//! The suite of the contract as somebody else uses it: on the backend of `examples/own_backend`.

#[path = "../examples/own_backend/toy.rs"]
mod toy;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::Connector;
use ibkr_connect_conformance::{Backend, Candidate, run};

use crate::toy::ToyConnector;

/// How long a server may take to end on a busy machine.
const SETTLING: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    run([Candidate::new("toy", Toy::default)])
}

#[derive(Debug, Default)]
struct Toy(ToyConnector);

impl Backend for Toy {
    fn connector(&self) -> &(dyn Connector + 'static) {
        &self.0
    }

    fn assert_clean(&self) {
        let deadline = Instant::now() + SETTLING;
        while self.0.servers() > 0 {
            assert!(Instant::now() < deadline, "{} servers go on", self.0.servers());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

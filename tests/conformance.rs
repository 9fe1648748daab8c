//! The suite of the contract on every backend of this repository: `direct::positions`, `subprocess::positions`, `mock::positions`. The
//! cases are in `crates/conformance`.

#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;

use ibkr_connect::{Connector, MockConnector};
use ibkr_connect_conformance::{Candidate, run};

use crate::support::backend::Backend;
use crate::support::mock;
use crate::support::real_backends::REAL_BACKENDS;

fn main() -> ExitCode {
    let real = REAL_BACKENDS.map(|mode| Candidate::new(mode.as_str(), move || Backend::new(mode)));
    let mock =
        Candidate::new("mock", || Mock(mock::connector())).without_gateway("a mock reaches no Gateway");
    run(real.into_iter().chain([mock]))
}

impl ibkr_connect_conformance::Backend for Backend {
    fn connector(&self) -> &(dyn Connector + 'static) {
        &**self
    }

    fn assert_clean(&self) {
        self.worker().assert_none_runs();
    }
}

#[derive(Debug)]
struct Mock(MockConnector);

impl ibkr_connect_conformance::Backend for Mock {
    fn connector(&self) -> &(dyn Connector + 'static) {
        &self.0
    }

    fn assert_clean(&self) {}
}

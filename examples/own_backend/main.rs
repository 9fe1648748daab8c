//! A program with a backend of its own: everything that comes around the backends of the library comes around it. The backend is
//! `toy.rs`; the program brings its own Gateway, a simulated one. The contract that a backend has to keep is a suite of tests:
//! `ibkr-connect-conformance`.
//!
//! `cargo run --example own_backend`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

mod toy;

use std::sync::Arc;

use ibkr_connect::{Config, connect_over};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use toy::ToyConnector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // It throws the first one out, and the policy tries again.
    let script = vec![vec![Fault::ResetAfterStartApi]];
    let gateway = Simulator::start(SimOptions { script, ..SimOptions::default() })?;
    let state = tempfile::tempdir()?;
    let config = Config::default().with_port(gateway.port()).with_state_dir(state.path().to_owned());

    let session = connect_over(Arc::new(ToyConnector::default()), &config).await?;
    let info = session.info();
    println!("connected by {} as client {}, attempt {}", info.mode, info.client_id, info.attempts.len());
    println!("{} positions", session.positions().await?.len());
    Ok(session.close().await?)
}

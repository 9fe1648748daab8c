//! A program that is its own worker: nothing else has to be installed for the subprocess mode. It brings its own
//! Gateway too, a simulated one.
//!
//! `cargo run --example host_is_worker`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use ibkr_connect::{Config, ConnectionMode, worker};
use ibkr_connect_sim::{SimOptions, Simulator};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First of all: in the worker process this call serves the parent and never returns.
    worker::run_if_worker();

    let gateway = Simulator::start(SimOptions::default())?;
    let config = Config::default().with_mode(ConnectionMode::Subprocess).with_port(gateway.port());

    // No runtime is needed, neither here nor there.
    let session = pollster::block_on(ibkr_connect::connect(&config))?;
    println!("this is process {}", std::process::id());
    println!("its worker is process {}", session.info().worker_pid.unwrap_or_default());
    println!("a ping through both took {:?}", session.blocking().ping()?);
    Ok(session.blocking().close()?)
}

//! Prints the metrics of a short life, as Prometheus would scrape them: a session with a simulated Gateway, a request, a stream.
//!
//! `cargo run --example metrics`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{Config, ConnectionMode, telemetry};
use ibkr_connect_sim::{SimOptions, Simulator};
use metrics_exporter_prometheus::PrometheusBuilder;

/// From a request in this machine to a Gateway that lets one wait.
const SECONDS: [f64; 7] = [0.0005, 0.001, 0.01, 0.1, 1.0, 10.0, 30.0];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = PrometheusBuilder::new().set_buckets(&SECONDS)?.install_recorder()?;
    telemetry::describe();

    let gateway = Simulator::start(SimOptions::default())?;
    let state = tempfile::tempdir()?;
    let state_dir = state.path().to_owned();
    let config = Config::default()
        .with_mode(ConnectionMode::Direct)
        .with_port(gateway.port())
        .with_state_dir(state_dir);
    let session = ibkr_connect::connect(&config).await?;
    session.positions().await?;
    let mut quotes = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await?;
    for _ in 0..5 {
        quotes.next().await;
    }
    session.close().await?;

    println!("{}", metrics.render());
    Ok(())
}

//! Shows the positions of the account that `ibkr.toml`, `.env` and the environment lead to.
//!
//! `cargo run --example quickstart`, while TWS or the Gateway listens on `IBKR_PORT` (4002 if not set). Without one, run
//! `cargo run -- sim --port 4002` in another terminal.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ibkr_connect::worker::run_if_worker(); // lets this program be its own worker
    match show_positions().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("  try: {}", error.advice().unwrap_or("ibkr-connect check, which says more"));
            ExitCode::FAILURE
        }
    }
}

async fn show_positions() -> ibkr_connect::Result<()> {
    let session = ibkr_connect::connect_from_env().await?;
    println!("connected to {:?} through {}", session.info().accounts, session.info().mode);
    for held in session.positions().await? {
        println!("{:>10} {}", held.position.unwrap_or_default(), held.contract.symbol);
    }
    session.close().await
}

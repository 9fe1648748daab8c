//! A session that stays up: the Gateway throws it out, another one follows by itself, and the stream of quotes goes on after a gap.
//! It brings its own Gateway, a simulated one.
//!
//! `cargo run --example supervised`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{Config, ConnectionMode, StreamItem};
use ibkr_connect_sim::{SimOptions, Simulator};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gateway = Simulator::start(SimOptions::default())?;
    let state = tempfile::tempdir()?;
    let state_dir = state.path().to_owned();
    let config = Config::default()
        .with_mode(ConnectionMode::Direct)
        .with_port(gateway.port())
        .with_state_dir(state_dir);

    let supervisor = ibkr_connect::supervise(&config)?;
    let mut transitions = supervisor.transitions();
    let diary = tokio::spawn(async move {
        while let Some(transition) = transitions.next().await {
            println!("session {}: {} ({})", transition.generation, transition.state, transition.cause);
        }
    });

    // It waits for the first session.
    let mut quotes = supervisor.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await?;
    gateway.reset_all();
    loop {
        match quotes.next().await.ok_or("the stream has ended")?? {
            StreamItem::Data(quote) => println!("{quote:?}"),
            StreamItem::Gap { from, to } => break println!("quotes may be missing from {from} to {to}"),
            _ => {}
        }
    }
    println!("{:?}", quotes.next().await.ok_or("the stream has ended")??);

    // A request is made once, in the session that there is.
    println!("{} positions in session {}", supervisor.positions().await?.len(), supervisor.generation());
    supervisor.close().await;
    Ok(diary.await?)
}

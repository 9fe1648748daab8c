//! Shows the positions of the account that `ibkr.toml`, `.env` and the environment lead to.
//!
//! `IBKR_CONNECTION_MODE=direct IBKR_PORT=4002 cargo run --example quickstart`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

#[tokio::main(flavor = "current_thread")]
async fn main() -> ibkr_connect::Result<()> {
    let session = ibkr_connect::connect_from_env().await?;
    println!("connected to {:?} through {}", session.info().accounts, session.info().mode);
    for held in session.positions().await? {
        println!("{:>10} {}", held.position, held.contract.symbol);
    }
    session.close().await
}

//! A strategy, tested against a simulated Gateway.

use ibkr_connect::{Config, Result, Session};
use ibkr_connect_sim::{SimOptions, Simulator};
use tempfile::TempDir;

/// The strategy: which of our positions cost more than `limit`?
async fn too_large(session: &Session, limit: f64) -> Result<Vec<String>> {
    let mut held = session.positions().await?;
    held.retain(|held| held.position.unwrap_or(0.0) * held.average_cost.unwrap_or(0.0) > limit);
    Ok(held.into_iter().map(|held| held.contract.symbol).collect())
}

/// A session with the simulated Gateway, and a state directory that your real programs don't share.
async fn session_with(gateway: &Simulator, state: &TempDir) -> Result<Session> {
    let config = Config::from_vars([
        ("IBKR_CONNECTION_MODE", "direct".to_owned()),
        ("IBKR_PORT", gateway.port().to_string()),
        ("IBKR_STATE_DIR", state.path().display().to_string()),
    ])?;
    ibkr_connect::connect(&config).await
}

#[tokio::test]
async fn it_names_what_is_too_large() {
    let (gateway, state) = (Simulator::start(SimOptions::default()).unwrap(), TempDir::new().unwrap());
    let session = session_with(&gateway, &state).await.unwrap();
    assert!(too_large(&session, 0.0).await.unwrap().contains(&"AAPL".to_owned()));
    assert!(too_large(&session, f64::MAX).await.unwrap().is_empty());
    session.close().await.unwrap();
}

#[tokio::test]
async fn it_fails_rather_than_guesses_when_the_gateway_is_gone() {
    let (gateway, state) = (Simulator::start(SimOptions::default()).unwrap(), TempDir::new().unwrap());
    let session = session_with(&gateway, &state).await.unwrap();
    gateway.reset_all();
    assert!(too_large(&session, 0.0).await.unwrap_err().is_retryable());
}

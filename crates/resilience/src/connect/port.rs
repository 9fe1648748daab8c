//! Whether a local port is worth a handshake. Asks the kernel; the port is not touched.

use ibkr_connect_cleanup::{ListenState, inspect, listening};
use ibkr_connect_core::{Error, ErrorKind, Phase, Result, Target};

/// Refuses a port on which nobody listens, or whose listener has stopped accepting: a handshake would make it worse.
///
/// Takes microseconds, and a second if connections wait to be accepted. Needs a tokio runtime.
///
/// # Errors
/// `not_listening` or `gateway_wedged`, in `preflight`.
pub(crate) async fn check_port(target: &Target) -> Result<()> {
    let port = target.port;
    let state = match listening(port) {
        Ok(ListenState::Listening(listener)) if listener.queue > 0 => {
            // It sleeps between two samples.
            tokio::task::spawn_blocking(move || inspect(port))
                .await
                .unwrap_or(Ok(ListenState::Listening(listener)))
        }
        state => state,
    };
    match state {
        Ok(ListenState::NotListening) => Err(not_listening(target)),
        Ok(ListenState::Wedged(listener)) => Err(wedged(target, listener.queue)),
        Ok(ListenState::Listening(_)) => Ok(()),
        Err(error) => {
            tracing::debug!(%error, port, "port_not_checked");
            Ok(())
        }
    }
}

fn not_listening(target: &Target) -> Error {
    let message = format!("nothing listens on {}", target.address());
    Error::new(ErrorKind::NotListening, message).in_phase(Phase::Preflight)
}

/// Retryable: it may have been a long garbage collection, and looking again costs the Gateway nothing.
fn wedged(target: &Target, waiting: u32) -> Error {
    let address = target.address();
    let message = format!("{waiting} connections wait at {address} and have not been accepted for a second");
    Error::new(ErrorKind::GatewayWedged, message).in_phase(Phase::Preflight).retryable()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn target(listener: &TcpListener) -> Target {
        Target::default().with_port(listener.local_addr().unwrap().port())
    }

    #[tokio::test]
    async fn a_listener_passes_and_its_absence_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = target(&listener);
        check_port(&target).await.unwrap();
        drop(listener);
        let error = check_port(&target).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::NotListening, Some(Phase::Preflight)));
        assert!(error.message().contains(&target.address()));
    }

    #[tokio::test]
    async fn a_stuck_accept_queue_is_wedged() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = target(&listener);
        let _waiting = TcpStream::connect((target.host.as_str(), target.port)).unwrap();
        let error = check_port(&target).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::GatewayWedged, Some(Phase::Preflight)));
        assert!(error.message().starts_with("1 connections wait"), "{error}");
    }
}

//! The backends by name: how each is made, if this build has it.

use std::sync::Arc;

use ibkr_connect_core::config::Fallback;
use ibkr_connect_core::{Backends, Config, ConnectionMode, Connector, Error, ErrorKind, Result};

use crate::fallback::FallbackConnector;
use crate::zombie_check::ZombieCheckConnector;

type Made = Result<Box<dyn Connector>>;

macro_rules! backends {
    ($( $name:ident $feature:literal => $make:expr; )+) => {
        impl Backends for Builder<'_> {
            type Item = Made;

            $(
                #[cfg(feature = $feature)]
                fn $name(&self) -> Made {
                    let make: fn(&Config) -> Made = $make;
                    make(self.0)
                }

                #[cfg(not(feature = $feature))]
                fn $name(&self) -> Made {
                    Err(left_out(stringify!($name), $feature))
                }
            )+
        }
    };
}

/// Makes the connector of a mode.
struct Builder<'a>(&'a Config);

// The mode, the cargo feature that brings it, and what makes its connector.
backends! {
    subprocess "subprocess" => crate::worker::connector;
    direct "direct" => |_| Ok(Box::new(ibkr_connect_direct::DirectConnector));
}

/// The connector that `config` asks for: the backend, its fallback, and the zombie check around it.
///
/// # Errors
/// `unsupported` when this build lacks the backend, `worker_spawn` when no worker program can be found.
pub fn connector(config: &Config) -> Result<Box<dyn Connector>> {
    Ok(Box::new(checked(with_fallback(config)?, config)))
}

/// The zombie check around a connector.
pub(crate) fn checked(inner: impl Into<Arc<dyn Connector>>, config: &Config) -> ZombieCheckConnector {
    ZombieCheckConnector::new(inner.into(), config)
}

fn with_fallback(config: &Config) -> Result<Box<dyn Connector>> {
    let primary = build(config.mode, config);
    match (config.mode, config.fallback) {
        (ConnectionMode::Subprocess, Fallback::Direct) => {
            let direct = build(ConnectionMode::Direct, config)?;
            match primary {
                Ok(primary) => Ok(Box::new(FallbackConnector::new(primary, direct))),
                Err(error) if error.kind() == ErrorKind::WorkerSpawn => {
                    tracing::warn!(%error, "worker_fallback");
                    Ok(direct)
                }
                Err(error) => Err(error),
            }
        }
        _ => primary,
    }
}

fn build(mode: ConnectionMode, config: &Config) -> Result<Box<dyn Connector>> {
    mode.of(&Builder(config)).unwrap_or_else(|| {
        let message = format!("{mode} is not a backend that configuration can choose");
        let advice = "pass the connector to ibkr_connect::connect_over or ibkr_connect::session_over instead";
        Err(Error::new(ErrorKind::Unsupported, message).with_advice(advice))
    })
}

#[allow(dead_code, reason = "a build with all backends lacks none")]
fn left_out(mode: &str, feature: &str) -> Error {
    let message = format!("this program was built without the {mode} backend");
    let advice = format!("build ibkr-connect with the cargo feature {feature:?}, or choose another mode");
    Error::new(ErrorKind::Unsupported, message).with_advice(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_passes_is_not_chosen_by_configuration() {
        for mode in [ConnectionMode::Mock, ConnectionMode::Other("nats")] {
            let error = connector(&Config::default().with_mode(mode)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.advice().is_some_and(|advice| advice.contains("connect_over")), "{error}");
        }
    }

    #[cfg(not(feature = "direct"))]
    #[test]
    fn a_backend_compiled_out_says_how_to_get_it() {
        let config = Config::default().with_mode(ConnectionMode::Direct);
        let error = connector(&config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.advice().is_some_and(|advice| advice.contains("cargo feature \"direct\"")), "{error}");
    }
}

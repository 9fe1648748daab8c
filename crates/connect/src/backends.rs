//! The backends by name. A new one is a constant in [`BACKENDS`].

use ibkr_connect_core::config::Fallback;
use ibkr_connect_core::{Config, ConnectionMode, Connector, Error, ErrorKind, Result};

use crate::fallback::FallbackConnector;
use crate::zombie_check::ZombieCheckConnector;

/// A backend: its name, the cargo feature that brings it, and how it is made, if this build has it.
struct Backend {
    mode: ConnectionMode,
    feature: &'static str,
    build: Option<Build>,
}

type Build = fn(&Config) -> Result<Box<dyn Connector>>;

const BACKENDS: &[Backend] = &[
    Backend {
        mode: ConnectionMode::Subprocess,
        feature: "subprocess",
        #[cfg(feature = "subprocess")]
        build: Some(crate::worker::connector),
        #[cfg(not(feature = "subprocess"))]
        build: None,
    },
    Backend {
        mode: ConnectionMode::Direct,
        feature: "direct",
        #[cfg(feature = "direct")]
        build: Some(|_| Ok(Box::new(ibkr_connect_direct::DirectConnector))),
        #[cfg(not(feature = "direct"))]
        build: None,
    },
];

/// The connector that `config` asks for: the backend, its fallback, and the zombie check around it.
///
/// # Errors
/// `unsupported` when this build lacks the backend, `worker_spawn` when no worker program can be found.
pub fn connector(config: &Config) -> Result<Box<dyn Connector>> {
    Ok(Box::new(ZombieCheckConnector::new(with_fallback(config)?, config)))
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
    let Some(backend) = BACKENDS.iter().find(|backend| backend.mode == mode) else {
        let message = format!("{mode} is not a backend that configuration can choose");
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_advice("pass the connector to ibkr_connect::session_over instead"));
    };
    match backend.build {
        Some(build) => build(config),
        None => {
            let message = format!("this program was built without the {mode} backend");
            let advice = format!(
                "build ibkr-connect with the cargo feature {:?}, or choose another mode",
                backend.feature
            );
            Err(Error::new(ErrorKind::Unsupported, message).with_advice(advice))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_the_configuration_has_a_backend() {
        for mode in ConnectionMode::CHOICES {
            assert!(BACKENDS.iter().any(|backend| backend.mode == *mode), "{mode}");
        }
    }

    #[test]
    fn a_mock_is_not_chosen_by_configuration() {
        let config = Config { mode: ConnectionMode::Mock, ..Config::default() };
        assert_eq!(connector(&config).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[cfg(not(feature = "direct"))]
    #[test]
    fn a_backend_compiled_out_says_how_to_get_it() {
        let config = Config { mode: ConnectionMode::Direct, ..Config::default() };
        let error = connector(&config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.advice().is_some_and(|advice| advice.contains("cargo feature \"direct\"")), "{error}");
    }
}

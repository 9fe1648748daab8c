use ibkr_connect_fuzz::{Target, count};

use super::*;

const OURS: [&str; 4] = ["IBKR_WORKER_PATH", "IBKR_GATEWAY_RESTART", "IBKR_LOCK_FILE_PATH", "IBKR_STATE_DIR"];

/// A value of each key, as the environment would have it.
#[test]
fn config_value() {
    Target::local("config_value", env!("CARGO_MANIFEST_DIR")).longest(256).memory(1 << 20, 128).run(
        |bytes| {
            let Ok(text) = str::from_utf8(bytes) else { return "no text".to_owned() };
            let mut words = String::new();
            for key in KEYS {
                let outcome = Config::from_vars([(key.variable, text)]);
                match &outcome {
                    Ok(config) => makes_sense(config),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Config);
                        let said = error.message();
                        assert!(said.contains(key.variable) && said.contains(ENVIRONMENT), "{said}");
                        assert!(error.advice().is_some());
                    }
                }
                words.push_str(if outcome.is_ok() { "+" } else { "-" });
            }
            words
        },
    );
}

/// The file in the working directory.
#[test]
fn ibkr_toml() {
    Target::local("ibkr_toml", env!("CARGO_MANIFEST_DIR"))
        .memory(1 << 20, 512)
        .run(|bytes| attack(bytes, FILE, |text| found_toml(Path::new("./ibkr.toml"), text)));
}

/// The file in the working directory, which is other programs' too.
#[test]
fn dotenv_file() {
    Target::local("dotenv_file", env!("CARGO_MANIFEST_DIR"))
        .memory(1 << 20, 512)
        .run(|bytes| attack(bytes, DOTENV, |text| found_dotenv(Path::new("./.env"), text)));
}

/// What it decides makes sense and is none of what only the user may say; what is wrong names the file.
fn attack(bytes: &[u8], file: &str, layer: impl Fn(&str) -> Result<Layer>) -> String {
    let Some(text) = file::text_of(bytes) else { return "no text".to_owned() };
    assert!(!text.starts_with('\u{feff}') || bytes.starts_with("\u{feff}\u{feff}".as_bytes()));
    let outcome = layer(&text).and_then(|layer| {
        let values = layer.values.len();
        let mut config = Config::default();
        read_all(&mut config, &Figment::new().merge(layer)).map(|_| (values, config))
    });
    match outcome {
        Ok((values, config)) => {
            makes_sense(&config);
            let default = Config::default();
            assert_eq!(
                (&config.worker_path, &config.gateway_restart, &config.lock_file_path, &config.state_dir),
                (&default.worker_path, &default.gateway_restart, &default.lock_file_path, &default.state_dir)
            );
            count(values).to_owned()
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            let said = error.message();
            assert!(said.contains(file), "{said} does not name {file}");
            assert!(error.advice().is_some());
            let only_ours = OURS.iter().any(|name| said.contains(name));
            format!("{said} {only_ours}")
        }
    }
}

fn makes_sense(config: &Config) {
    let target = config.target();
    target.check().unwrap_or_else(|error| panic!("{target:?}: {error:?}"));
    assert!(
        !config.host.contains(|letter: char| letter.is_control() || letter.is_whitespace()),
        "{:?}",
        config.host
    );
    assert!(config.state_dir.is_absolute());
    for duration in [
        config.timeout,
        config.request_timeout,
        config.lock_timeout,
        config.circuit_recovery,
        config.ping_interval,
    ] {
        assert!(!duration.is_zero() && duration.as_secs() <= 86_400, "{duration:?}");
    }
}

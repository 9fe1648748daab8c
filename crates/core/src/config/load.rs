//! Layers of texts into a checked [`Config`]. figment keeps track of which source a value came from.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::state_dir::User;
use super::{Config, KEYS, Key, LogAccounts};
use crate::{Error, ErrorKind, Result};

const FILE: &str = "ibkr.toml";
const DOTENV: &str = ".env";
const ENVIRONMENT: &str = "the environment";
const STATE_DIR: &str = "state_dir";
const FLAGS: &str = "the command line";

/// Collects sources and reads them in their fixed order, whatever order they are named in.
#[derive(Debug, Default)]
pub struct Loader {
    directory: Option<PathBuf>,
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
    flags: Vec<(&'static str, String)>,
    /// Whose state directory it is, if the environment is a source.
    user: Option<User>,
}

impl Loader {
    /// No source at all: the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `ibkr.toml` and `.env` in the working directory, where they exist.
    #[must_use]
    pub fn working_directory(self) -> Self {
        self.directory(".")
    }

    /// Reads `ibkr.toml` and `.env` in `directory`, where they exist.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Reads this file, which must exist, instead of `ibkr.toml`.
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Reads the process's environment, once.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn environment(mut self) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.environment.extend(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        self.user = Some(User::current());
        self
    }

    /// Adds environment variables.
    #[must_use]
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Adds the value of a flag, by the name of its key in `ibkr.toml`.
    #[must_use]
    pub fn flag(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.flags.push((key, value.into()));
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// `config`, naming the value, its source and the valid choices.
    pub fn load(self) -> Result<Config> {
        let figment = self.layers()?;
        let mut config = Config::default();
        if let Some(user) = self.user.filter(|_| figment.find_value(STATE_DIR).is_err()) {
            config.state_dir = user.state_dir().map_err(|expected| {
                let message = format!("XDG_STATE_HOME in {ENVIRONMENT}: {expected}");
                Error::new(ErrorKind::Config, message)
                    .with_advice("correct it or unset it, or set IBKR_STATE_DIR")
            })?;
        }
        for key in KEYS {
            if let Ok(value) = figment.find_value(key.name) {
                let source =
                    figment.get_metadata(value.tag()).map_or("the defaults", |metadata| &metadata.name);
                read(&mut config, key, &value, source)?;
            }
        }
        Ok(config)
    }

    fn layers(&self) -> Result<Figment> {
        let mut figment = Figment::new();
        if let Some(layer) = self.file_layer()? {
            figment = figment.merge(layer);
        }
        if let Some(directory) = &self.directory {
            figment = figment.merge(variable_layer(DOTENV, read_dotenv(&directory.join(DOTENV))?)?);
        }
        figment = figment.merge(variable_layer(ENVIRONMENT, self.environment.iter().cloned())?);
        let flags = self.flags.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into())).collect();
        Ok(figment.merge(Layer { source: FLAGS.to_owned(), values: flags }))
    }

    fn file_layer(&self) -> Result<Option<Layer>> {
        let path = match (&self.file, &self.directory) {
            (Some(file), _) => file.clone(),
            (None, Some(directory)) => directory.join(FILE),
            (None, None) => return Ok(None),
        };
        match fs::read_to_string(&path) {
            Ok(text) => toml_layer(&path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.file.is_none() => Ok(None),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }
}

/// One source with its values by key name.
struct Layer {
    source: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn toml_layer(path: &Path, text: &str) -> Result<Layer> {
    let source = display_name(path);
    let mut profiles = Toml::string(text).data().map_err(|error| {
        let message = format!("{source} is not valid TOML: {}", error.to_string().trim_end());
        Error::new(ErrorKind::Config, message)
            .with_advice("write one `key = value` per line, texts in double quotes")
            .with_source(error)
    })?;
    let values = profiles.remove(&Profile::Default).unwrap_or_default();
    if let Some(unknown) = values.keys().find(|name| KEYS.iter().all(|key| key.name != **name)) {
        let message = format!("unknown key {unknown:?} in {source}");
        return Err(Error::new(ErrorKind::Config, message).with_advice(valid_keys(unknown, |key| key.name)));
    }
    Ok(Layer { source, values })
}

fn display_name(path: &Path) -> String {
    match path.strip_prefix(".") {
        Ok(relative) => relative.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// The known variables among `variables`; a near-miss of one is an error, any other is somebody else's.
fn variable_layer(source: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Layer> {
    let mut values = Dict::new();
    for (name, value) in variables {
        if let Some(key) = KEYS.iter().find(|key| key.variable == name) {
            if !(key.optional && value.trim().is_empty()) {
                values.insert(key.name.to_owned(), value.into());
            }
        } else if near_miss(&name).is_some() {
            let message = format!("unknown variable {name} in {source}");
            return Err(
                Error::new(ErrorKind::Config, message).with_advice(valid_keys(&name, |key| key.variable))
            );
        }
    }
    Ok(Layer { source: source.to_owned(), values })
}

/// The key that somebody who wrote `name` most likely meant: at most one slip in five letters.
fn near_miss(name: &str) -> Option<&'static Key> {
    let upper = name.to_ascii_uppercase();
    let stem = upper.strip_prefix("IBKR_")?;
    let slips = (stem.len() / 5).clamp(1, 3);
    KEYS.iter().find(|key| strsim::osa_distance(&upper, key.variable) <= slips)
}

fn valid_keys(wrong: &str, name: fn(&Key) -> &'static str) -> String {
    let best = KEYS
        .iter()
        .map(name)
        .max_by(|a, b| strsim::jaro_winkler(wrong, a).total_cmp(&strsim::jaro_winkler(wrong, b)))
        .unwrap_or_default();
    let all: Vec<_> = KEYS.iter().map(name).collect();
    format!("did you mean {best}? The valid ones are: {}", all.join(", "))
}

/// The variables in a `.env` file. A line that can't be read is an error only if it is about us.
fn read_dotenv(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let mut variables = BTreeMap::new();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        match line {
            Ok((name, value)) => {
                variables.insert(name, value);
            }
            Err(dotenvy::Error::LineParse(line, _)) if line.contains("IBKR_") => {
                let message = format!("{}: can't read the line {line:?}", display_name(path));
                return Err(Error::new(ErrorKind::Config, message)
                    .with_advice("write it as NAME=value, in double quotes if it has spaces"));
            }
            Err(error) => {
                let error = LogAccounts::Masked.text(error);
                tracing::warn!(file = %path.display(), %error, "dotenv_line_skipped");
            }
        }
    }
    Ok(variables)
}

fn read(config: &mut Config, key: &Key, value: &Value, source: &str) -> Result<()> {
    let text = as_text(value);
    let place = match source {
        FLAGS => format!("--{} on {FLAGS}", key.flag()),
        DOTENV | ENVIRONMENT => format!("{} in {source}", key.variable),
        file => format!("{} in {file}", key.name),
    };
    let wrong = |expected: String| {
        let advice = format!("correct it or remove it; the default is {}", key.default);
        Error::new(ErrorKind::Config, format!("{place} is {text:?}: {expected}")).with_advice(advice)
    };
    if text.trim().is_empty() && !key.optional {
        return Err(wrong("it is empty".to_owned()));
    }
    (key.read)(config, &text).map_err(wrong)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Bool(_, value) => value.to_string(),
        Value::Char(_, value) => value.to_string(),
        Value::Num(_, number) => number
            .to_f64()
            .map_or_else(|| number.to_i128().unwrap_or_default().to_string(), |n| n.to_string()),
        other => format!("{other:?}"),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Config, format!("can't read {}: {error}", path.display()))
        .with_advice("check the path and its permissions")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ConnectionMode;

    fn config_error(loader: Loader) -> String {
        let error = loader.load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        format!("{} | {}", error.message(), error.advice().unwrap_or_default())
    }

    fn toml(text: &str) -> (tempfile::TempDir, Loader) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), text).unwrap();
        let loader = Loader::new().directory(directory.path());
        (directory, loader)
    }

    #[test]
    fn without_sources_the_defaults_hold() {
        assert_eq!(Loader::new().load().unwrap(), Config::default());
    }

    #[test]
    fn every_documented_default_is_the_real_one() {
        for key in KEYS.iter().filter(|key| !key.optional) {
            let mut config = Config::default();
            (key.read)(&mut config, key.default).unwrap();
            assert_eq!(config, Config::default(), "{}", key.variable);
        }
    }

    #[test]
    fn later_sources_win() {
        let (directory, loader) = toml("port = 4001\nhost = \"toml\"\nclient_id = 1\ntimeout = 2.5");
        fs::write(directory.path().join(DOTENV), "IBKR_HOST=dotenv\nIBKR_CLIENT_ID=2\n").unwrap();
        let config = loader
            .variables([
                ("IBKR_CLIENT_ID".to_owned(), "3".to_owned()),
                ("IBKR_PORT".to_owned(), "7497".to_owned()),
            ])
            .flag("port", "7496")
            .load()
            .unwrap();
        assert_eq!((config.port, config.host.as_str(), config.client_id), (7496, "dotenv", Some(3)));
        assert_eq!(config.timeout, Duration::from_millis(2_500));
    }

    #[test]
    fn a_bad_value_names_its_source_and_what_is_valid() {
        for (variable, value, expected) in [
            ("IBKR_CONNECTION_MODE", "threads", "expected one of: subprocess, direct"),
            ("IBKR_PORT", "0", "expected a port number"),
            ("IBKR_PORT", "abc", "expected a port number"),
            ("IBKR_HOST", "", "it is empty"),
            ("IBKR_TIMEOUT", "-5", "expected a positive number of seconds"),
            ("IBKR_ZOMBIE_CLEANUP", "kill", "expected one of: report, clean, off"),
            ("IBKR_CLIENT_ID", "-1", "expected a client id"),
            ("IBKR_PACING", "on", "expected one of: queue, off, unlimited"),
            ("IBKR_REGION", "us", "expected one of: americas, europe, asia, none"),
            ("IBKR_GATEWAY_RESTART", "ibc:localhost", "expected ibc:HOST:PORT"),
            ("IBKR_GATEWAY_RESTART", "sh -c 'x", "expected a command line"),
            ("IBKR_STATE_DIR", "state", "expected an absolute path"),
        ] {
            let message = config_error(Loader::new().variables([(variable.to_owned(), value.to_owned())]));
            assert!(
                message.starts_with(&format!("{variable} in the environment is {value:?}: {expected}")),
                "{message}"
            );
        }
        let (_directory, loader) = toml("port = \"abc\"");
        assert!(config_error(loader).contains("ibkr.toml is \"abc\""));
        let message = config_error(Loader::new().flag("client_id", "x"));
        assert!(message.starts_with("--client-id on the command line is \"x\""), "{message}");
    }

    #[test]
    fn a_near_miss_is_an_error_and_a_stranger_is_left_alone() {
        for wrong in ["IBKR_PROT", "IBKR_CONECTION_MODE", "IBKR_TIMOUT", "ibkr_port", "IBKR_READ_ONLY"] {
            let message = config_error(Loader::new().variables([(wrong.to_owned(), "1".to_owned())]));
            assert!(message.contains(wrong) && message.contains("did you mean IBKR_"), "{message}");
        }
        for stranger in
            ["IBKR_USERNAME", "IBKR_PASSWORD", "IBKR_ACCOUNT", "IBKR_API_KEY", "IBKR_TOKEN", "PORT"]
        {
            let variables = [(stranger.to_owned(), "x".to_owned())];
            assert!(Loader::new().variables(variables).load().is_ok(), "{stranger}");
        }
    }

    #[test]
    fn in_the_file_any_unknown_key_is_an_error() {
        let (_directory, loader) = toml("prot = 4002");
        let message = config_error(loader);
        assert!(
            message.contains("unknown key \"prot\"") && message.contains("did you mean port?"),
            "{message}"
        );
        let (_directory, loader) = toml("port = ");
        assert!(config_error(loader).contains("is not valid TOML"));
    }

    #[test]
    fn a_named_file_must_exist() {
        assert!(
            config_error(Loader::new().file("does-not-exist.toml"))
                .contains("can't read does-not-exist.toml")
        );
    }

    #[test]
    fn only_our_lines_of_a_dotenv_file_must_be_readable() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(DOTENV), "WHAT EVER=a b\nIBKR_PORT=4001\n").unwrap();
        assert_eq!(Loader::new().directory(directory.path()).load().unwrap().port, 4001);
        fs::write(directory.path().join(DOTENV), "IBKR_PORT 4001\n").unwrap();
        assert!(config_error(Loader::new().directory(directory.path())).contains("can't read the line"));
    }

    #[test]
    fn an_empty_optional_variable_is_unset() {
        let config = Config::from_vars([("IBKR_CLIENT_ID", ""), ("IBKR_CONNECTION_MODE", "direct")]).unwrap();
        assert_eq!((config.client_id, config.mode), (None, ConnectionMode::Direct));
    }
}

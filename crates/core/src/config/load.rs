//! Layers of texts into a checked [`Config`]. figment keeps track of which source a value came from.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::file::{self, Origin};
use super::keys::{closest, near_miss};
use super::setting::{Setting, Source};
use super::state_dir::User;
use super::{Config, KEYS, Key, dotenv};
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
    config_home: Option<PathBuf>,
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

    /// Reads this file, which must exist, instead of `ibkr.toml` in the working directory. The user has named it: it may
    /// set everything, whoever owns it.
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Reads the process's environment, once, and the `ibkr.toml` in the user's own configuration directory
    /// (`$XDG_CONFIG_HOME/ibkr-connect`, else `~/.config/ibkr-connect`), where it exists.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn environment(mut self) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.environment.extend(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        let user = User::current();
        self.config_home = user.config_home();
        self.user = Some(user);
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
        self.load_with_settings().map(|(config, _)| config)
    }

    /// Reads and checks everything, and says of each key of [`KEYS`], in their order, what its value is and where that comes from.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_with_settings(self) -> Result<(Config, Vec<Setting>)> {
        let figment = self.layers()?;
        let mut config = Config::default();
        if let Some(user) = self.user.filter(|_| figment.find_value(STATE_DIR).is_err()) {
            config.state_dir = user.state_dir().map_err(|expected| {
                let message = format!("XDG_STATE_HOME in {ENVIRONMENT}: {expected}");
                Error::new(ErrorKind::Config, message)
                    .with_advice("correct it or unset it, or set IBKR_STATE_DIR")
            })?;
        }
        let settings = read_all(&mut config, &figment)?;
        Ok((config, settings))
    }

    fn layers(&self) -> Result<Figment> {
        let mut figment = Figment::new();
        for layer in [self.own_layer()?, self.file_layer()?, self.dotenv_layer()?].into_iter().flatten() {
            figment = figment.merge(layer);
        }
        figment = figment.merge(variable_layer(ENVIRONMENT, self.environment.iter().cloned())?);
        let flags = self.flags.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into())).collect();
        Ok(figment.merge(Layer { source: FLAGS.to_owned(), values: flags }))
    }

    /// Where the user's own file is.
    fn own_file(&self) -> Option<PathBuf> {
        self.config_home.as_ref().map(|home| home.join("ibkr-connect").join(FILE))
    }

    fn own_layer(&self) -> Result<Option<Layer>> {
        // One that can't even be looked at (a home directory that is not ours, or none) is not the user's own.
        let Some(path) = self.own_file().filter(|path| path.symlink_metadata().is_ok()) else {
            return Ok(None);
        };
        file::read(&path, Origin::Found)?.map(|text| toml_layer(&path, &text)).transpose()
    }

    fn file_layer(&self) -> Result<Option<Layer>> {
        if let Some(path) = &self.file {
            let text = file::read(path, Origin::Named)?.ok_or_else(|| missing(path))?;
            return toml_layer(path, &text).map(Some);
        }
        let Some(directory) = &self.directory else { return Ok(None) };
        let path = directory.join(FILE);
        if self.own_file().is_some_and(|own| is_same_file(&own, &path)) {
            return Ok(None);
        }
        let Some(text) = file::read(&path, Origin::Found)? else { return Ok(None) };
        found_toml(&path, &text).map(Some)
    }

    fn dotenv_layer(&self) -> Result<Option<Layer>> {
        let Some(directory) = &self.directory else { return Ok(None) };
        let path = directory.join(DOTENV);
        // A virtual environment of Python's may have this name.
        if path.is_dir() {
            return Ok(None);
        }
        let Some(text) = file::read(&path, Origin::Found)? else { return Ok(None) };
        found_dotenv(&path, &text).map(Some)
    }
}

/// The `ibkr.toml` of the working directory.
fn found_toml(path: &Path, text: &str) -> Result<Layer> {
    toml_layer(path, text)?.of_working_directory(|key| key.name, path)
}

/// The `.env` of the working directory.
fn found_dotenv(path: &Path, text: &str) -> Result<Layer> {
    let layer = variable_layer(DOTENV, dotenv::variables(DOTENV, text)?)?;
    layer.of_working_directory(|key| key.variable, path)
}

/// One source with its values by key name.
struct Layer {
    source: String,
    values: Dict,
}

impl Layer {
    /// This layer, if it sets nothing that only the user may set. `name` is what a key is called in it.
    fn of_working_directory(self, name: fn(&Key) -> &'static str, path: &Path) -> Result<Self> {
        let set = |key: &&Key| self.values.contains_key(key.name);
        let Some(key) = KEYS.iter().filter(set).find(|key| !key.counts_in_working_directory()) else {
            return Ok(self);
        };
        let message = format!(
            "{} in {} is not obeyed: it decides what is run or written, and a file that lies in the working directory may not",
            name(key),
            display_name(path)
        );
        let advice = format!(
            "set {} in the environment, write {} into ~/.config/ibkr-connect/{FILE}, or name a file of yours with --config",
            key.variable, key.name
        );
        Err(Error::new(ErrorKind::Config, message).with_advice(advice))
    }
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
    let values: Dict = toml::from_str(text).map_err(|error: toml::de::Error| {
        let message = format!("{source} is not valid TOML: {}", error.to_string().trim_end());
        Error::new(ErrorKind::Config, message)
            .with_advice("write one `key = value` per line, texts in double quotes")
            .with_source(error)
    })?;
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

fn valid_keys(wrong: &str, name: fn(&Key) -> &'static str) -> String {
    let all: Vec<_> = KEYS.iter().map(name).collect();
    format!("did you mean {}? The valid ones are: {}", name(closest(wrong)), all.join(", "))
}

fn read_all(config: &mut Config, figment: &Figment) -> Result<Vec<Setting>> {
    let mut settings = Vec::with_capacity(KEYS.len());
    for key in KEYS {
        settings.push(match figment.find_value(key.name) {
            Ok(value) => {
                let source = source(figment.get_metadata(value.tag()).map_or("", |metadata| &metadata.name));
                let value = as_text(&value);
                read(config, key, &value, &source)?;
                Setting { key, value, source }
            }
            Err(_) => Setting { key, value: default(key, config), source: Source::Default },
        });
    }
    Ok(settings)
}

/// The source that a layer is named after.
fn source(name: &str) -> Source {
    match name {
        "" => Source::Default,
        FLAGS => Source::Flag,
        ENVIRONMENT => Source::Environment,
        DOTENV => Source::DotEnv(DOTENV.into()),
        file => Source::File(file.into()),
    }
}

/// What counts where nobody has said anything.
fn default(key: &Key, config: &Config) -> String {
    match key.name {
        STATE_DIR => config.state_dir.display().to_string(),
        _ => key.default.to_owned(),
    }
}

fn read(config: &mut Config, key: &Key, text: &str, source: &Source) -> Result<()> {
    let wrong = |expected: String| {
        let place = source.place(key);
        let advice = format!("correct it or remove it; the default is {}", key.default);
        Error::new(ErrorKind::Config, format!("{place} is {text:?}: {expected}")).with_advice(advice)
    };
    if text.trim().is_empty() && !key.optional {
        return Err(wrong("it is empty".to_owned()));
    }
    (key.read)(config, text).map_err(wrong)
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

fn missing(path: &Path) -> Error {
    Error::new(ErrorKind::Config, format!("can't read {}: there is no such file", path.display()))
        .with_advice("check the path")
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;

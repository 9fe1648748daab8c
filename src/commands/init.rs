//! `init`: a `.env` with every setting, what it does and its default, to begin with.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ibkr_connect::config::{KEYS, Key};
use ibkr_connect::{Error, ErrorKind};
use serde::Serialize;

use crate::cli::Init;
use crate::output::{Output, print_line};

/// What was written.
#[derive(Serialize)]
struct Written<'a> {
    path: &'a Path,
}

/// Writes the file, which must not be there yet.
pub(crate) fn run(output: &Output, arguments: &Init) -> anyhow::Result<()> {
    let path = &arguments.path;
    write_new(path, &template()).map_err(|error| refused(path, error))?;
    if output.is_json() {
        return Ok(output.json(&Written { path })?);
    }
    print_line(&format!("{} is written: every setting with its default, each behind a #.", path.display()))?;
    print_line("Take the # away from what you change; `ibkr-connect settings` shows what counts.")?;
    Ok(())
}

/// Others may not even read it, and may never write it: such a file would be refused.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn refused(path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::AlreadyExists => "it is left as it was; name another file: ibkr-connect init FILE",
        _ => "name a file in a directory that is there and that you may write: ibkr-connect init FILE",
    };
    let message = format!("can't write {}: {error}", path.display());
    Error::new(ErrorKind::Config, message).with_advice(advice).with_source(error)
}

fn template() -> String {
    let mut text = "\
# Settings of ibkr-connect. Each stands here with its default: take the # away to change it.
# The environment and flags win over this file. Only you may be able to write it: chmod go-w .env
"
    .to_owned();
    for key in KEYS {
        let _ = write!(text, "\n# {}\n{}", key.help, setting(key));
    }
    text
}

fn setting(key: &Key) -> String {
    if !key.counts_in_working_directory() {
        return format!(
            "# {} counts in the environment or in ~/.config/ibkr-connect/ibkr.toml, and not in this file.\n",
            key.variable
        );
    }
    // A default in words is no value: an empty one leaves the setting unset.
    let value = if key.optional { "" } else { key.default };
    format!("#{}={value}\n", key.variable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ibkr_connect::Config;
    use ibkr_connect::config::Loader;

    use super::*;

    fn load(directory: &Path) -> Config {
        Loader::new().directory(directory).load().unwrap()
    }

    #[test]
    fn the_file_changes_nothing_as_it_is_nor_with_every_setting_uncommented() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        write_new(&path, &template()).unwrap();
        let defaults = Loader::new().load().unwrap();
        assert_eq!(format!("{:?}", load(directory.path())), format!("{defaults:?}"));

        let settings = template().lines().filter(|line| line.starts_with("#IBKR_")).count();
        assert_eq!(settings, KEYS.iter().filter(|key| key.counts_in_working_directory()).count());
        std::fs::write(&path, template().replace("\n#IBKR_", "\nIBKR_")).unwrap();
        assert_eq!(format!("{:?}", load(directory.path())), format!("{defaults:?}"));
    }

    #[test]
    fn it_is_for_its_owner_only_and_never_replaces_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        write_new(&path, "first").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = refused(&path, write_new(&path, "second").unwrap_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        assert!(error.advice().unwrap().contains("name another file"), "{error}");
    }
}

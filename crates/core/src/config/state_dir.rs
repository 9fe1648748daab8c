//! Where the state that processes share is kept when `IBKR_STATE_DIR` does not say: one place per user, the same for all
//! programs of theirs, whatever their working directory. And where the user's own `ibkr.toml` is.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Our directory in one of the user's.
const NAME: &str = "ibkr-connect";

/// What a process knows about its user.
#[derive(Debug, Clone)]
pub(super) struct User {
    /// `$XDG_STATE_HOME`
    state_home: Option<OsString>,
    /// `$XDG_CONFIG_HOME`
    config_home: Option<OsString>,
    /// `$HOME`, or what the user database says.
    home: Option<PathBuf>,
    /// Where temporary files of all users are.
    temp: PathBuf,
    id: u32,
}

impl User {
    /// The user of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "crates/core/src/config is the one place that reads the environment"
    )]
    pub(super) fn current() -> Self {
        Self {
            state_home: env::var_os("XDG_STATE_HOME").filter(|home| !home.is_empty()),
            config_home: env::var_os("XDG_CONFIG_HOME").filter(|home| !home.is_empty()),
            home: env::home_dir(),
            temp: env::temp_dir(),
            id: rustix::process::geteuid().as_raw(),
        }
    }

    /// The directory: in `$XDG_STATE_HOME`, else in the home directory.
    ///
    /// # Errors
    /// What is wrong with `$XDG_STATE_HOME`. The XDG specification would have a relative one ignored; but whoever has set it
    /// means a place, and would look for the state there.
    pub(super) fn state_dir(&self) -> Result<PathBuf, String> {
        match self.state_home.as_deref().map(Path::new) {
            None => Ok(self.without_state_home()),
            Some(home) => absolute(home).map(|home| home.join(NAME)),
        }
    }

    /// The directory, whatever `$XDG_STATE_HOME` is. Without a home it is one of this user's alone among the temporary files:
    /// whoever opens it finds out if another user was there first, and refuses it.
    pub(super) fn without_state_home(&self) -> PathBuf {
        let temp = absolute(&self.temp).unwrap_or_else(|_| Path::new("/tmp"));
        self.home.as_deref().filter(|home| self.has(home)).map_or_else(
            || temp.join(format!("{NAME}-{}", self.id)),
            |home| home.join(".local/state").join(NAME),
        )
    }

    /// Where the user's own settings are: `$XDG_CONFIG_HOME`, else `.config` in the home directory. A relative one is ignored,
    /// as the XDG specification has it: what lies in the working directory is not the user's own.
    pub(super) fn config_home(&self) -> Option<PathBuf> {
        let named = self.config_home.as_deref().map(Path::new).filter(|home| home.is_absolute());
        let in_home = || self.home.as_deref().filter(|home| self.has(home)).map(|home| home.join(".config"));
        named.map(Path::to_path_buf).or_else(in_home)
    }

    /// Whether it can be the user's home. That of a user without one is named all the same: `/nonexistent` or `/`.
    fn has(&self, home: &Path) -> bool {
        let is_root = home.parent().is_none() && self.id != 0;
        home.is_absolute() && !is_root && home.is_dir()
    }
}

/// Relative to the working directory, two programs of a user would share nothing.
pub(super) fn absolute(path: &Path) -> Result<&Path, String> {
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("expected an absolute path, e.g. /var/lib/ibkr-connect".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(state_home: Option<&str>, home: Option<&Path>) -> User {
        User {
            state_home: state_home.map(OsString::from),
            config_home: None,
            home: home.map(Path::to_path_buf),
            temp: "/tmp".into(),
            id: 1_000,
        }
    }

    #[test]
    fn it_is_in_the_state_home_or_in_the_home() {
        let home = tempfile::tempdir().unwrap();
        let with_both = user(Some("/state"), Some(home.path()));
        assert_eq!(with_both.state_dir().unwrap(), Path::new("/state/ibkr-connect"));
        let in_home = user(None, Some(home.path())).state_dir().unwrap();
        assert_eq!(in_home, home.path().join(".local/state/ibkr-connect"));
    }

    #[test]
    fn without_a_home_every_user_has_one_of_their_own() {
        let own = Path::new("/tmp/ibkr-connect-1000");
        for home in [None, Some(""), Some("here"), Some("/nonexistent"), Some("/")] {
            assert_eq!(user(None, home.map(Path::new)).state_dir().unwrap(), own, "{home:?}");
        }
        let other = User { id: 1_001, ..user(None, None) };
        assert_ne!(other.state_dir().unwrap(), own);
        let root = User { id: 0, ..user(None, Some(Path::new("/"))) };
        assert_eq!(root.state_dir().unwrap(), Path::new("/.local/state/ibkr-connect"));
        let relative = User { temp: "tmp".into(), ..user(None, None) };
        assert_eq!(relative.state_dir().unwrap(), own);
    }

    #[test]
    fn the_users_own_settings_are_never_relative_to_the_working_directory() {
        let home = tempfile::tempdir().unwrap();
        let in_home = Some(home.path().join(".config"));
        assert_eq!(user(None, Some(home.path())).config_home(), in_home);
        for (config_home, expected) in
            [("/settings", Some("/settings".into())), ("settings", in_home.clone()), (".", in_home)]
        {
            let user = User { config_home: Some(config_home.into()), ..user(None, Some(home.path())) };
            assert_eq!(user.config_home(), expected, "{config_home}");
        }
        let homeless = User { config_home: Some("settings".into()), ..user(None, Some(Path::new("here"))) };
        assert_eq!(homeless.config_home(), None);
    }

    #[test]
    fn a_relative_one_is_refused() {
        let relative = user(Some("state"), None);
        assert!(relative.state_dir().unwrap_err().contains("absolute path"));
        assert!(relative.without_state_home().is_absolute());
    }
}

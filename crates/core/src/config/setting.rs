//! What a setting is, and who has said so.

use std::path::PathBuf;

use super::Key;

/// A key with the value that counts, and where that comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Setting {
    /// What is set.
    pub key: &'static Key,
    /// Its value, as its source writes it.
    pub value: String,
    /// Its source.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Nobody has set it.
    Default,
    /// An `ibkr.toml`, or the file that the user has named.
    File(PathBuf),
    /// A `.env`.
    DotEnv(PathBuf),
    /// The environment of the process.
    Environment,
    /// A flag of the command line.
    Flag,
}

impl Source {
    /// Its stable name: `default`, `file`, `dotenv`, `environment` or `flag`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(_) => "file",
            Self::DotEnv(_) => "dotenv",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }

    /// What the key is called there, and where that is: `IBKR_PORT in the environment`.
    pub fn place(&self, key: &Key) -> String {
        match self {
            Self::Default => format!("{} by default", key.name),
            Self::File(path) => format!("{} in {}", key.name, path.display()),
            Self::DotEnv(path) => format!("{} in {}", key.variable, path.display()),
            Self::Environment => format!("{} in the environment", key.variable),
            Self::Flag => format!("--{} on the command line", key.flag()),
        }
    }
}

//! Which of the connection flags each command takes. One that would do nothing is refused, so that nobody believes it did.

use ibkr_connect::{Error, ErrorKind, Result};

/// The flags that say to whom and how to connect. All commands take `-v`, as all may log, and `--json`.
pub(crate) const CONNECTION_FLAGS: [&str; 6] =
    ["--mode", "--host", "--port", "--client-id", "--timeout", "--config"];

/// What a command takes of [`CONNECTION_FLAGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    /// What the user calls it, with the flag that changes what it takes.
    command: &'static str,
    takes: &'static [&'static str],
    /// Why the others would do nothing.
    reason: &'static str,
}

/// Those that say which Gateway is meant.
const ADDRESS: &[&str] = &["--host", "--port", "--config"];

const A_FILE: &str = "the breaker is a file that your programs share, and no Gateway is asked";

const THIS_MACHINE: &str = "it looks at the sockets of this machine, and no Gateway is asked";

const USES: &[Use] = &[
    takes_all("accounts"),
    takes_all("bars"),
    Use { command: "breaker open", takes: ADDRESS, reason: A_FILE },
    Use { command: "breaker reset", takes: ADDRESS, reason: A_FILE },
    takes_all("call"),
    takes_all("check"),
    takes_none("commands", "the operations are listed without a Gateway"),
    takes_none("completions", "the script is the same for every Gateway"),
    takes_none("demo", "the demo shows every mode, against a Gateway of its own"),
    takes_none("init", "it writes the defaults, whatever the settings are"),
    takes_none("man", "the page is the same for every Gateway"),
    takes_all("positions"),
    takes_all("probe"),
    takes_all("quote"),
    takes_all("settings"),
    Use {
        command: "sim",
        takes: &["--port"],
        reason: "the simulator listens on 127.0.0.1 and takes every client",
    },
    takes_all("soak"),
    Use {
        command: "soak --chaos",
        takes: &["--mode", "--config"],
        reason: "--chaos brings its own Gateway and its own deadlines",
    },
    Use {
        command: "status",
        takes: &["--config"],
        reason: "status shows every Gateway that your programs know, and asks none",
    },
    takes_all("ticks"),
    takes_all("watch"),
    takes_none("worker", "the program that starts a worker tells it everything"),
    Use { command: "zombies clean", takes: ADDRESS, reason: THIS_MACHINE },
    Use { command: "zombies list", takes: ADDRESS, reason: THIS_MACHINE },
];

const fn takes_all(command: &'static str) -> Use {
    Use { command, takes: &CONNECTION_FLAGS, reason: "" }
}

const fn takes_none(command: &'static str, reason: &'static str) -> Use {
    Use { command, takes: &[], reason }
}

impl Use {
    /// Of this command. One that is not in the table takes nothing.
    pub(crate) fn of(command: &'static str) -> Self {
        let known = USES.iter().find(|known| known.command == command).copied();
        known.unwrap_or(takes_none(command, "nothing is known of its use there"))
    }

    pub(crate) fn takes(&self, flag: &str) -> bool {
        self.takes.contains(&flag)
    }

    /// Refuses the first of the flags that were `given` which the command does not take.
    ///
    /// # Errors
    /// `config`, with the commands that take it.
    pub(crate) fn check<'a>(&self, given: impl IntoIterator<Item = &'a str>) -> Result<()> {
        match given.into_iter().find(|flag| !self.takes(flag)) {
            None => Ok(()),
            Some(flag) => {
                let message = format!("{flag} on the command line would do nothing: {}", self.reason);
                let advice = format!("leave {flag} out; those that take it are {}", takers(flag));
                Err(Error::new(ErrorKind::Config, message).with_advice(advice))
            }
        }
    }
}

/// The commands that take `flag`.
fn takers(flag: &str) -> String {
    let takers: Vec<_> = USES.iter().filter(|known| known.takes(flag)).map(|known| known.command).collect();
    takers.join(", ")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Cli;

    /// What a command needs besides its name, so that the flags are all that can be wrong.
    fn needs(command: &str) -> &'static [&'static str] {
        match command {
            "bars" | "quote" | "ticks" => &["AAPL"],
            "call" => &["server_time"],
            "completions" => &["bash"],
            _ => &[],
        }
    }

    fn value(flag: &str) -> &'static str {
        match flag {
            "--mode" => "direct",
            "--host" => "gw.example",
            "--config" => "ibkr.toml",
            _ => "7",
        }
    }

    /// Every command that can be typed, by its whole name, the hidden ones too.
    fn commands() -> Vec<String> {
        let leaves = |command: &clap::Command, before: &str| -> Vec<String> {
            command.get_subcommands().map(|sub| format!("{before}{}", sub.get_name())).collect()
        };
        let root = Cli::command();
        let mut names = Vec::new();
        for command in root.get_subcommands() {
            let below = leaves(command, &format!("{} ", command.get_name()));
            names.extend(if below.is_empty() { vec![command.get_name().to_owned()] } else { below });
        }
        names
    }

    #[test]
    fn the_table_has_each_command_once_and_no_other() {
        let mut expected = commands();
        expected.push("soak --chaos".to_owned());
        expected.sort_unstable();
        assert_eq!(USES.iter().map(|known| known.command).collect::<Vec<_>>(), expected);
        for Use { command, takes, reason } in USES {
            assert_eq!(takes.len() < CONNECTION_FLAGS.len(), !reason.is_empty(), "{command}");
            assert!(takes.iter().all(|flag| CONNECTION_FLAGS.contains(flag)), "{command}");
        }
    }

    #[test]
    fn a_connection_flag_is_either_taken_or_refused_by_every_command() {
        let root = Cli::command();
        let longs =
            root.get_arguments().filter(|flag| flag.is_global_set()).filter_map(|flag| flag.get_long());
        let longs: Vec<_> = longs.map(|long| format!("--{long}")).collect();
        let all = CONNECTION_FLAGS.into_iter().chain(["--verbose", "--json"]);
        assert_eq!(longs, all.collect::<Vec<_>>(), "a flag that all commands parse is in the table");
        for known in USES {
            for flag in CONNECTION_FLAGS {
                let words = known.command.split(' ').chain(needs(known.command).iter().copied());
                let typed: Vec<_> = ["ibkr-connect"].into_iter().chain(words).collect();
                let bare = Cli::try_parse_from(&typed).unwrap();
                assert!(bare.check_flags().is_ok(), "{typed:?}");
                let with_flag: Vec<_> = typed.into_iter().chain([flag, value(flag)]).collect();
                let outcome = Cli::try_parse_from(&with_flag).unwrap().check_flags();
                assert_eq!(outcome.is_ok(), known.takes(flag), "{with_flag:?}");
                let Err(error) = outcome else { continue };
                assert!(
                    error.message().starts_with(&format!("{flag} on the command line would do nothing: "))
                );
                assert!(error.message().ends_with(known.reason), "{error}");
                let (_, named) = error.advice().unwrap().split_once(" take it are ").unwrap();
                let named: Vec<_> = named.split(", ").collect();
                for other in USES {
                    assert_eq!(named.contains(&other.command), other.takes(flag), "{flag} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_command_that_the_table_has_forgotten_takes_nothing() {
        let forgotten = Use::of("new");
        assert!(CONNECTION_FLAGS.iter().all(|flag| forgotten.check([*flag]).is_err()));
    }
}

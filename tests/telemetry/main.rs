//! What is told and counted: real lives over each backend, with everything recorded. Each event that is seen is in its table with
//! exactly its fields, each metric is recorded under its labels, and no account id is in any line unless it was asked for.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod life;
mod recorder;
mod sources;
mod stage;

use ibkr_connect::ConnectionMode;
use ibkr_connect::config::LogAccounts;

mod direct {
    use super::*;

    #[test]
    fn a_hard_life_is_told_and_counted() {
        life::is_told_and_counted(ConnectionMode::Direct);
    }

    #[test]
    fn a_gateway_that_falls_silent_is_told_and_counted() {
        life::silence_is_told_and_counted(ConnectionMode::Direct);
    }

    #[test]
    fn zombies_are_told_and_counted() {
        life::zombies_are_told_and_counted(ConnectionMode::Direct);
    }

    #[test]
    fn account_ids_are_masked() {
        accounts::are_shown(ConnectionMode::Direct, LogAccounts::Masked, "DU2345671");
    }

    #[test]
    fn account_ids_are_shown_when_asked_for() {
        accounts::are_shown(ConnectionMode::Direct, LogAccounts::Full, "DU3456712");
    }
}

mod subprocess {
    use super::*;

    #[test]
    fn a_hard_life_is_told_and_counted() {
        life::is_told_and_counted(ConnectionMode::Subprocess);
    }

    #[test]
    fn a_gateway_that_falls_silent_is_told_and_counted() {
        life::silence_is_told_and_counted(ConnectionMode::Subprocess);
    }

    #[test]
    fn zombies_are_told_and_counted() {
        life::zombies_are_told_and_counted(ConnectionMode::Subprocess);
    }

    #[test]
    fn account_ids_are_masked() {
        accounts::are_shown(ConnectionMode::Subprocess, LogAccounts::Masked, "DU4567123");
    }

    #[test]
    fn account_ids_are_shown_when_asked_for() {
        accounts::are_shown(ConnectionMode::Subprocess, LogAccounts::Full, "DU5671234");
    }
}

#[test]
fn the_sources_tell_what_is_in_the_tables_and_nothing_else() {
    sources::assert_as_in_the_tables();
}

//! What is told and counted: real lives over each backend, with everything recorded. Each event that is seen is in its table with
//! exactly its fields, each metric is recorded under its labels, and no account id is in any line unless it was asked for.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod life;
mod recorder;
mod sources;
mod stage;

use crate::support::real_backends::on_real_backends;
use ibkr_connect::config::LogAccounts;

on_real_backends! {
    fn a_hard_life_is_told_and_counted(mode) {
        life::is_told_and_counted(mode);
    }
    fn a_gateway_that_falls_silent_is_told_and_counted(mode) {
        life::silence_is_told_and_counted(mode);
    }
    fn zombies_are_told_and_counted(mode) {
        life::zombies_are_told_and_counted(mode);
    }
    fn account_ids_are_masked(mode) {
        accounts::are_shown(mode, LogAccounts::Masked);
    }
    fn account_ids_are_shown_when_asked_for(mode) {
        accounts::are_shown(mode, LogAccounts::Full);
    }
}

#[test]
fn the_sources_tell_what_is_in_the_tables_and_nothing_else() {
    sources::assert_as_in_the_tables();
}

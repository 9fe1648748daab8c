//! The command as its user sees it: exit codes, JSON, tables, and what it says about wrong input.

#[path = "../support/mod.rs"]
mod support;

mod breaker;
mod call;
mod check;
mod data;
mod demo;
mod flags;
mod foreign;
mod input;
mod json;
mod ongoing;
mod probe;
mod readme;
mod settings;
mod setup;
mod sim;
mod soak;
mod status;
mod typed;
mod waits;
mod watch;
mod workers;

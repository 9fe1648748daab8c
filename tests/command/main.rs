//! The command as its user sees it: exit codes, JSON, tables, and what it says about wrong input.

#[path = "../support/mod.rs"]
mod support;

mod call;
mod check;
mod data;
mod input;
mod sim;
mod workers;

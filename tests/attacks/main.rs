//! What an attacker has tried, kept: each test is one attack of docs/security.md, made on the command as a user runs it.

#[path = "../support/mod.rs"]
mod support;

mod configuration;
mod cookie;
mod hostile;
mod words;
mod worker;

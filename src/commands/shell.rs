//! What a shell and `man` want to know about the command, made of the command line itself.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use ibkr_connect::{Error, ErrorKind};
use serde::Serialize;

use crate::cli::{Cli, Completions, Man};
use crate::output::{Output, print_line};

/// Prints the script that completes commands and flags in a shell.
pub(crate) fn completions(output: &Output, arguments: &Completions) -> anyhow::Result<()> {
    let (mut command, mut script) = (Cli::command(), Vec::new());
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    write_text(output, one_name(String::from_utf8(script)?).into_bytes())
}

/// clap_complete 4.6.11 spells the hyphen of the command in two ways in the script for bash, which then completes no flag of a
/// subcommand.
fn one_name(script: String) -> String {
    script.replace("ibkr__subcmd__connect", "ibkr__connect")
}

/// Prints the page of the command, or writes one for each command into a directory.
pub(crate) fn man(output: &Output, arguments: &Man) -> anyhow::Result<()> {
    let Some(directory) = &arguments.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return write_text(output, page);
    };
    clap_mangen::generate_to(Cli::command(), directory).map_err(|error| not_written(directory, error))?;
    if output.is_json() {
        return Ok(output.json(&Pages { directory })?);
    }
    print_line(&format!(
        "The pages are in {}; `man -l {0}/ibkr-connect.1` shows the first.",
        directory.display()
    ))?;
    Ok(())
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Pages<'a> {
    directory: &'a Path,
}

/// As it is: what reads it wants its control characters.
fn write_text(output: &Output, text: Vec<u8>) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(output.json(&Text { text: &String::from_utf8(text)? })?);
    }
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    Ok(out.flush()?)
}

fn not_written(directory: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Config, format!("can't write into {}: {error}", directory.display()))
        .with_advice("name a directory that is there and that you may write")
        .with_source(error)
}

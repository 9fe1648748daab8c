//! A command that restarts the Gateway.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use ibkr_connect_cleanup::{Child, ChildSpec};
use ibkr_connect_core::config::{LogAccounts, find_in_path, inherited_by_workers};

/// After the deadline it is asked to end, and after its grace made to.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Why it can't be run.
pub(super) fn problem(words: &[String]) -> Option<String> {
    let program = words.first()?;
    let path = match program.contains('/') {
        true => PathBuf::from(program),
        false => match find_in_path(program) {
            Some(path) => path,
            None => return Some(format!("{program} is not in PATH")),
        },
    };
    match path.metadata() {
        Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => None,
        Ok(_) => Some(format!("{program} is not executable")),
        Err(error) => Some(format!("{program}: {error}")),
    }
}

/// Runs the command to its end.
pub(super) fn run(words: &[String], deadline: Duration, log_accounts: LogAccounts) -> Result<String, String> {
    let (program, args) = words.split_first().ok_or("the command is empty")?;
    let spec = ChildSpec {
        args: args.iter().map(Into::into).collect(),
        env: inherited_by_workers(),
        label: "ibkr-restart".to_owned(),
        on_stderr_line: Box::new(move |line| say(line, log_accounts)),
        ..ChildSpec::new(program)
    };
    let (child, stdin, stdout) = Child::spawn(spec).map_err(|error| format!("{program}: {error}"))?;
    drop(stdin);
    // Nobody waits for the end of the output: a Gateway that the command has started may keep it open.
    let _ = thread::Builder::new()
        .name("ibkr-restart-stdout".to_owned())
        .spawn(move || forward(stdout, log_accounts));
    let report = child.wait_timeout(deadline);
    let report = report.ok_or_else(|| {
        child.terminate();
        let end = child.wait_timeout(LAST_PATIENCE).map_or("still there".to_owned(), |end| end.to_string());
        format!("{program} did not end within {deadline:?}: {end}")
    })?;
    if report.success() { Ok(format!("{program} {report}")) } else { Err(format!("{program} {report}")) }
}

fn forward(stdout: impl Read, log_accounts: LogAccounts) {
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        say(String::from_utf8_lossy(&line).trim_end(), log_accounts);
    }
}

fn say(line: &str, log_accounts: LogAccounts) {
    tracing::info!(line = %log_accounts.text(line), "gateway_restart_output");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, deadline: Duration) -> Result<String, String> {
        run(&["sh".to_owned(), "-c".to_owned(), script.to_owned()], deadline, LogAccounts::Masked)
    }

    #[test]
    fn its_exit_code_is_the_outcome() {
        let long = Duration::from_secs(60);
        assert_eq!(sh("echo out; echo err >&2", long), Ok("sh exited with code 0".to_owned()));
        assert_eq!(sh("exit 3", long), Err("sh exited with code 3".to_owned()));
        assert!(
            run(&["/does/not/exist".to_owned()], long, LogAccounts::Masked)
                .unwrap_err()
                .contains("/does/not/exist")
        );
    }

    #[test]
    fn one_that_hangs_is_ended() {
        let error = sh("sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("did not end within 50ms: killed by SIGTERM"), "{error}");
    }
}

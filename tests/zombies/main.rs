//! `zombies list` and `zombies clean` against holders that nobody here wrote: Python and Java processes with half-closed
//! sockets, as clients and as Gateways. And what a connect says and does about zombies on its port.
//!
//! The kind before a test's name says what it needs: an interpreter in `/usr/bin`, or to be root. Where that is missing the
//! test is listed as ignored; on CI (the variable `CI` is set) it fails.
//!
//! A zombie is proved by its age, 5 s, so every test waits and none computes: they all run at once, unless
//! `--test-threads` says otherwise.

#[path = "../support/mod.rs"]
mod support;

mod clean;
mod connect;
mod gateway;
mod holder;
mod list;
mod rights;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::holder::{JAVA, PYTHON};

/// What a test needs to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Python,
    Java,
    /// Python as another user.
    Root,
}

use crate::support::real_backends::REAL_BACKENDS;
use Need::{Java, Nothing, Python, Root};

/// A trial per function, named after it.
macro_rules! trials {
    ($( $need:expr => $($module:ident)::+; )+) => { [$( trial($need, stringify!($($module)::+), $($module)::+) ),+] };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(64));
    let mut trials = Vec::from(trials! {
        Nothing => list::nobody_listens;
        Nothing => list::a_healthy_gateway;
        Nothing => list::another_machine_is_said_to_be_one;
        Nothing => list::port_0_is_an_error;
        Python => list::a_client_that_never_closes;
        Python => list::watching;
        Java => gateway::that_never_closes;
        Java => gateway::that_stopped_accepting;
        Python => gateway::that_is_no_java;
        Python => clean::a_dry_run_changes_nothing;
        Python => clean::a_holder_is_touched_only_when_named;
        Java => clean::java_is_never_touched;
        Nothing => clean::a_name_like_a_listed_one_is_not_listed;
        Python => clean::a_stopped_holder_is_closed_too;
        Python => clean::a_registered_worker_needs_no_name;
        Nothing => clean::a_name_is_needed_after_kill;
        Python => rights::without_pidfd_getfd_the_holder_has_to_go;
        Python => rights::a_holder_that_vanishes_is_nobody_elses;
        Root => rights::another_users_holder_is_out_of_reach;
        Root => rights::a_users_own_holder_is_not;
        Root => rights::destroying_sockets_is_for_root;
        Nothing => connect::a_wedged_gateway_works_again_after_a_restart;
        Root => connect::a_wedged_gateway_works_again_after_a_clean;
        Python => connect::a_clean_is_in_the_log;
        Python => connect::a_look_that_fails_fails_no_connect;
        Nothing => connect::a_worker_is_registered_while_it_works;
        Nothing => connect::a_worker_dropped_inside_a_runtime_is_registered_until_it_is_gone;
    });
    trials.extend(REAL_BACKENDS.map(|mode| {
        let path = format!("connect::{mode}_reports_cleans_or_looks_away");
        trial(Python, &path, move || connect::reports_cleans_or_looks_away(mode))
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(need: Need, path: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    let missing = need.missing();
    let may_be_missing = !is_ci() || cfg!(not(target_os = "linux"));
    let ignored = missing.is_some() && may_be_missing;
    let trial = Trial::test(path.replace(' ', ""), move || match missing {
        None => {
            test();
            Ok(())
        }
        Some(missing) => Err(missing.into()),
    });
    trial.with_kind(need.name()).with_ignored_flag(ignored)
}

impl Need {
    fn name(self) -> &'static str {
        match self {
            Nothing => "",
            Python => "python3",
            Java => "java",
            Root => "root",
        }
    }

    fn missing(self) -> Option<String> {
        let absent = |program: &str| (!Path::new(program).exists()).then(|| format!("there is no {program}"));
        if cfg!(not(target_os = "linux")) {
            return Some("sockets are found and closed by means that only Linux has".to_owned());
        }
        match self {
            Nothing => None,
            Python => absent(PYTHON),
            Java => absent(JAVA),
            Root if !rustix::process::geteuid().is_root() => {
                Some("only root can become another user".to_owned())
            }
            Root => absent(PYTHON),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "whether a missing interpreter is a failure")]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}

//! libFuzzer on a target: it sees by counters which code an input reaches. Compiled with `--cfg fuzzing` only.
//!
//! libfuzzer-sys brings libFuzzer; its macro would need a program for each target, and the targets are tests of their crates.
#![allow(unsafe_code, reason = "libFuzzer is C++")]

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int};
use std::slice;

// For its libFuzzer alone.
use libfuzzer_sys as _;

use crate::Target;
use crate::report::Report;
use crate::run::execute;
use crate::settings::{Settings, guided_arguments};

unsafe extern "C" {
    /// libFuzzer's own entry, for programs that have a `main` (FuzzerInterface.h).
    fn LLVMFuzzerRunDriver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        callback: extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

/// What runs now, on this thread.
struct Running<'a> {
    target: &'a Target,
    attack: &'a dyn Fn(&[u8]) -> String,
}

thread_local! {
    static RUNNING: Cell<*const Running<'static>> = const { Cell::new(std::ptr::null()) };
}

/// Runs the target until libFuzzer ends the process: after a failure, or the time that it was given.
pub(crate) fn run(target: &Target, attack: &dyn Fn(&[u8]) -> String) -> ! {
    let report = Report::start(target.name);
    let found = report.directory().join("found");
    std::fs::create_dir_all(&found).unwrap_or_else(|error| panic!("{}: {error}", found.display()));
    for (number, seed) in target.more.iter().enumerate() {
        let path = found.join(format!("given-{number}"));
        std::fs::write(&path, &seed.bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let mut arguments = vec![
        "fuzz".to_owned(),
        found.display().to_string(),
        target.corpus.display().to_string(),
        format!("-artifact_prefix={}/", report.directory().display()),
        format!("-max_len={}", target.longest),
        "-timeout=60".to_owned(),
    ];
    if let Some(time) = Settings::of_environment().time {
        arguments.push(format!("-max_total_time={}", time.as_secs()));
    }
    arguments.extend(guided_arguments());
    let arguments: Vec<CString> =
        arguments.into_iter().map(|argument| CString::new(argument).unwrap_or_default()).collect();
    let mut pointers: Vec<*mut c_char> =
        arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
    pointers.push(std::ptr::null_mut());
    let (mut count, mut start) = (arguments.len() as c_int, pointers.as_mut_ptr());
    let running = Running { target, attack };
    RUNNING.set((&raw const running).cast());
    // SAFETY: the arguments are `count` texts that end with NUL, and a null; they and `running` live until the process ends, and
    // libFuzzer, without -jobs or -fork, calls back on this thread.
    let code = unsafe { LLVMFuzzerRunDriver(&raw mut count, &raw mut start, one) };
    std::process::exit(code);
}

extern "C" fn one(data: *const u8, size: usize) -> c_int {
    let input = match size {
        0 => &[],
        // SAFETY: libFuzzer owns `size` bytes at `data` until this returns.
        _ => unsafe { slice::from_raw_parts(data, size) },
    };
    // SAFETY: `run` has set it, to what lives until the process ends.
    let running = unsafe { &*RUNNING.get() };
    if let Err(failure) = execute(running.target, input, running.attack) {
        eprintln!("{}: {failure}", running.target.name);
        // libFuzzer keeps the input.
        std::process::abort();
    }
    0
}

/// libfuzzer-sys wants the function that its macro makes.
// SAFETY: no other function of this name is linked: nobody uses that macro.
#[unsafe(no_mangle)]
#[allow(improper_ctypes_definitions, reason = "libfuzzer-sys, which is Rust too, calls it so")]
extern "C" fn rust_fuzzer_test_input(_: &[u8]) -> c_int {
    0
}

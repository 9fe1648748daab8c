//! The real backends, and tests that run on each of them. A further backend is one line here.

#![allow(unused_macros, reason = "each test binary uses a part of it")]

use ibkr_connect::ConnectionMode;

/// Calls a macro with what it is given and the list: the name that a backend's tests carry, and its mode.
macro_rules! each_real_backend {
    ([$($with:tt)+] $given:tt) => {
        $($with)+! {
            $given
            direct: ::ibkr_connect::ConnectionMode::Direct,
            subprocess: ::ibkr_connect::ConnectionMode::Subprocess,
        }
    };
}

/// Tests on each real backend, named by it: `direct::name`, `subprocess::name`. The functions that they call are `super`'s.
///
/// `fn name(mode) { .. }` is a test as written. `run: name other` hands each function to `super::run(mode, super::name)`.
macro_rules! on_real_backends {
    ($run:ident: $($test:ident)+) => {
        $crate::support::real_backends::on_real_backends! {
            $( fn $test(mode) { super::$run(mode, super::$test); } )+
        }
    };
    ($($tests:tt)+) => {
        $crate::support::real_backends::each_real_backend! {
            [$crate::support::real_backends::modules_of_tests] { $($tests)+ }
        }
    };
}

macro_rules! modules_of_tests {
    ($tests:tt $($name:ident: $mode:expr,)+) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "a body may need nothing but `super::`")]
                use super::*;
                $crate::support::real_backends::tests_on! { $mode; $tests }
            }
        )+
    };
}

macro_rules! tests_on {
    ($mode:expr; { $($(#[$attribute:meta])* fn $test:ident($argument:ident) $body:block)+ }) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $test() {
                let $argument = $mode;
                $body
            }
        )+
    };
}

macro_rules! modes {
    (() $($name:ident: $mode:expr,)+) => { [$($mode),+] };
}

macro_rules! count {
    (() $($name:ident: $mode:expr,)+) => { [$(stringify!($name)),+].len() };
}

/// All of them.
pub(crate) const REAL_BACKENDS: [ConnectionMode; each_real_backend!([count]())] =
    each_real_backend!([modes]());

const _: () = assert!(
    REAL_BACKENDS.len() == ConnectionMode::CHOICES.len(),
    "a backend that can be chosen is missing in tests/support/real_backends.rs"
);

#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub(crate) use {each_real_backend, modules_of_tests, on_real_backends, tests_on};

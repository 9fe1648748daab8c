//! What the cases share. The integration tests of the whole use it too.

#[allow(dead_code, reason = "the cases use a part of it, other tests the rest")]
pub(crate) mod fake_gateway;
#[allow(dead_code, reason = "the cases use a part of it, other tests the rest")]
pub(crate) mod traces;

pub(crate) mod backend;
mod patience;

pub(crate) use patience::{PATIENCE, run, until};

//! The simulator on the wire, as a raw client sees it.

mod faults;
mod gateway;
mod raw_client;

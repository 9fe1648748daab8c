//! The simulator on the wire, as a raw client sees it.

mod crowd;
mod faults;
mod gateway;
mod raw_client;

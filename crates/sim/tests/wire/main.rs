//! The simulator on the wire, as a raw client sees it.

mod crowd;
mod faults;
mod gateway;
mod limits;
mod market;
mod raw_client;

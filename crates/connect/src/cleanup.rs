//! Half-closed connections ("zombies") on a port: who listens, what is left there and whose it is, and removing what may be
//! removed. Nothing here opens a connection or touches the Gateway's process.

pub use ibkr_connect_cleanup::{
    CleanupPolicy, CleanupReport, Destroy, Done, Error, Forwarder, HalfClosed, Limit, ListenState, Listener,
    MissingRight, Owner, Process, Proof, Reason, Register, Run, Scan, Skipped, Watch, WorkerRecord, Zombie,
    ZombieClass, clean, forwarder, half_closed, inspect, listening, scan, scan_with,
};

//! docs/protocol.md says what the code does, as far as a test can tell.

use ibkr_connect_core::config::WORKER_COOKIE;
use ibkr_connect_core::{ErrorKind, OPERATIONS};
use ibkr_connect_protocol::frames::{FEATURES, VERSIONS, command};

#[test]
fn the_protocol_page_names_every_version_command_and_kind() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md")).unwrap();
    for (version, added) in VERSIONS {
        assert!(page.contains(&format!("| {version} | {added} |")), "version {version}");
    }
    for (feature, what) in FEATURES {
        assert!(page.contains(&format!("| `{feature}` | {what} |")), "feature {feature}");
    }
    let operations = OPERATIONS.iter().map(|operation| operation.command);
    for name in operations.chain(command::ALL) {
        assert!(page.contains(&format!("| `{name}`")), "command {name}");
    }
    // What a worker can't say: these belong to the parent or to the layers above it.
    let elsewhere =
        ["config", "circuit_open", "lock_timeout", "worker_spawn", "worker_crashed", "worker_incompatible"];
    for kind in ErrorKind::ALL.iter().map(|kind| kind.as_str()).filter(|kind| !elsewhere.contains(kind)) {
        assert!(page.contains(&format!("`{kind}`")), "kind {kind}");
    }
    assert!(page.contains(WORKER_COOKIE));
}

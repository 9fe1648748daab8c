use ibkr_connect_fuzz::Target;

use super::*;
use crate::record_attack::attack;

#[test]
fn restart_record() {
    Target::local("restart_record", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256).run(|bytes| {
        attack(bytes, |last: LastRestart, now| {
            let ago = last.at.map(|at| (now + PAUSE).since(at));
            assert!(ago.is_none_or(|ago| ago >= PAUSE), "never again: {last:?}");
            last.at.is_some().to_string()
        })
    });
}

use ibkr_connect_fuzz::{Target, count};

use super::*;
use crate::record_attack::attack;

#[test]
fn refused_ids_record() {
    Target::local("refused_ids_record", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256).run(|bytes| {
        attack(bytes, |refused: RefusedIds, now| {
            let held = refused.at(now);
            assert!(held.len() <= MOST);
            assert!(refused.at(now + LONGEST_HOLD).is_empty(), "held for ever: {refused:?}");
            count(held.len()).to_owned()
        })
    });
}

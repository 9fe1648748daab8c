use ibkr_connect_fuzz::Target;

use super::*;
use crate::record_attack::attack;

#[test]
fn messages_record() {
    Target::local("messages_record", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256).run(|bytes| {
        attack(bytes, |mut bucket: Bucket, now| {
            let wait = bucket.wait(now, 1);
            assert!(wait <= time_for(DEEPEST as u32 + 1), "{wait:?} for one message: {bucket:?}");
            bucket.take(now, 1);
            let next = bucket.wait(now, 1);
            assert!(next >= wait, "a message that was sent is not counted: {bucket:?}");
            format!("{} {}", wait.is_zero(), bucket.may_overtake(now))
        })
    });
}

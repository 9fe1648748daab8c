use std::time::Duration;

use ibkr_connect_fuzz::Target;

use super::*;
use crate::breaker::machine::{Attempt, Breaker};
use crate::breaker::{Admission, BreakerSettings, Outcome};
use crate::record_attack::attack;

/// By then every wait is over.
const LATER: Duration = Duration::from_secs(2 * 86_400);

#[test]
fn breaker_record() {
    let target = Target::local("breaker_record", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256);
    target.run(|bytes| attack(bytes, |memory: Memory, now| lets_somebody_try(memory, now)));
}

/// Whatever a file says, somebody may try again, unless somebody has forced the breaker open.
fn lets_somebody_try(memory: Memory, now: Moment) -> String {
    let breaker = Breaker::resume(BreakerSettings::default(), memory.clone());
    let said = format!("{:?} {:?}", breaker.state(now), breaker.check(now));
    if !matches!(memory.state, State::ForcedOpen { .. }) {
        assert_eq!(breaker.check(now + LATER), Ok(()), "for ever: {memory:?}");
    }
    if let State::HalfOpen { running, .. } = &memory.state {
        for trial in running {
            for outcome in [Outcome::Success(Duration::ZERO), Outcome::Failure("how".to_owned())] {
                let by = Attempt { party: 1, since: now, asked: now, begun: now };
                breaker.clone().settle(now, &by, Admission::Trial(trial.id), outcome);
            }
        }
    }
    said
}

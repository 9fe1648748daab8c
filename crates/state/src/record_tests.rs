//! Records and clocks: reboots, wall clocks that jump, other machines, nonsense.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::clock::Clock;
use crate::clock::manual::ManualClock;

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Something happened then.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Happened {
    at: Moment,
    count: u32,
}

impl Shareable for Happened {
    const VERSION: u32 = 2;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        change(&mut self.at);
    }

    fn clamp(&mut self, _: Moment) {
        self.count = self.count.min(100);
    }
}

fn age(record: &Record<Happened>, clock: &ManualClock) -> Duration {
    let now = clock.now();
    now.at.since(record.content_at(&now).at)
}

fn happened(clock: &ManualClock) -> Record<Happened> {
    let now = clock.now();
    Record::first(&now, Happened { at: now.at, count: 1 })
}

/// As the next process reads it, after it was written with nothing changed.
fn rewritten(record: &Record<Happened>, clock: &ManualClock) -> Record<Happened> {
    let now = clock.now();
    let next = record.next(&now, record.content_at(&now));
    Record::parse(&next.to_bytes()).unwrap()
}

/// The clock of another machine, which has been up for longer and whose wall clock differs.
fn other_machine(clock: &ManualClock, wall_differs_by: jiff::SignedDuration) -> ManualClock {
    let now = clock.now();
    let wall = now.wall.checked_add(wall_differs_by).unwrap();
    ManualClock::starting(Stamp { boot: "another".to_owned(), at: now.at + YEAR, wall })
}

#[test]
fn within_a_boot_neither_suspend_nor_the_wall_clock_matters() {
    let clock = ManualClock::new();
    let record = happened(&clock);
    for wall in ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        clock.advance(MINUTE);
        clock.set_wall(wall.parse().unwrap());
    }
    assert!(record.knows(&clock.now()));
    assert_eq!(age(&record, &clock), MINUTE * 2, "an uptime counts the time in which the machine sleeps");
}

#[test]
fn a_reboot_is_bridged_by_the_wall_clock_once() {
    let clock = ManualClock::new();
    let record = happened(&clock);
    clock.advance(MINUTE);
    let record = rewritten(&record, &clock);
    clock.reboot(clock.now().wall + MINUTE);
    assert!(!record.knows(&clock.now()));
    assert_eq!(age(&record, &clock), MINUTE * 2);
    let record = rewritten(&record, &clock);
    assert!(record.knows(&clock.now()));
    clock.set_wall(clock.now().wall + YEAR);
    assert_eq!(
        age(&record, &clock),
        MINUTE * 2,
        "a day's jump of the wall clock is a jump of the wall clock"
    );
    clock.advance(MINUTE);
    assert_eq!(age(&record, &clock), MINUTE * 3);
}

#[test]
fn a_wall_clock_behind_stops_nothing_for_ever() {
    let clock = ManualClock::new();
    let record = happened(&clock);
    clock.reboot(Timestamp::UNIX_EPOCH);
    assert_eq!(age(&record, &clock), Duration::ZERO, "how long it was off is anybody's guess");
    let record = rewritten(&record, &clock);
    clock.advance(MINUTE);
    assert_eq!(age(&record, &clock), MINUTE, "a minute is a minute, whatever the wall clock says");
}

#[test]
fn two_machines_whose_clocks_differ_share_a_record() {
    for differs in [-3_600, 0, 3_600] {
        let here = ManualClock::new();
        let there = other_machine(&here, jiff::SignedDuration::from_secs(differs));
        let mut record = happened(&here);
        record = rewritten(&record, &there);
        let bridged = age(&record, &there);
        for _ in 0..30 {
            here.advance(MINUTE);
            record = rewritten(&record, &here);
            there.advance(MINUTE);
            record = rewritten(&record, &there);
        }
        assert_eq!(age(&record, &here), MINUTE * 30, "clocks that differ by {differs} s");
        assert_eq!(age(&record, &there), bridged + MINUTE * 30);
    }
}

#[test]
fn many_boots_do_not_make_it_longer() {
    let clock = ManualClock::new();
    let mut record = happened(&clock);
    for _ in 0..100 {
        clock.reboot(clock.now().wall + MINUTE);
        record = rewritten(&record, &clock);
    }
    assert_eq!(record.clocks.len(), MOST_CLOCKS);
    assert_eq!(age(&record, &clock), MINUTE * 100);
}

#[test]
fn nonsense_lies_in_the_past_and_is_clamped() {
    let clock = ManualClock::new();
    let now = clock.now();
    for at in [i64::MIN, -1, i64::MAX] {
        let content = Happened { at: Moment::from_millis(at), count: u32::MAX };
        for record in [Record::first(&now, content.clone()), Record::first(&other_stamp(at), content)] {
            let content = record.content_at(&now);
            assert!(content.at <= now.at && content.count == 100, "{content:?}");
            assert!(rewritten(&record, &clock).written_at(&now) <= now.at);
        }
    }
}

fn other_stamp(at: i64) -> Stamp {
    Stamp { boot: "nonsense".to_owned(), at: Moment::from_millis(at), wall: Timestamp::MAX }
}

#[test]
fn what_cannot_be_read_says_why() {
    let bytes = happened(&ManualClock::new()).to_bytes();
    let newer = String::from_utf8(bytes.clone()).unwrap().replace("\"version\":2", "\"version\":3");
    let why = |bytes: &[u8]| Record::<Happened>::parse(bytes).unwrap_err();
    assert_eq!(why(b" \n"), "is empty");
    assert!(why(newer.as_bytes()).starts_with("was written by a newer version"), "{}", why(newer.as_bytes()));
    for cut in 1..bytes.len() {
        assert!(why(&bytes[..cut]).starts_with("makes no sense ("), "{cut}");
    }
    assert!(why(&[0; 100]).starts_with("makes no sense"));
}

#[test]
fn a_file_of_version_1_is_on_its_writers_clock() {
    let clock = ManualClock::new();
    let now = serde_json::to_string(&clock.now()).unwrap();
    let old = format!(r#"{{"version":1,"written":{now},"memory":{{"at":1000000,"count":1}}}}"#);
    let record = Record::<Happened>::parse(old.as_bytes()).unwrap();
    clock.advance(MINUTE);
    assert_eq!(age(&record, &clock), MINUTE);
    let there = other_machine(&clock, jiff::SignedDuration::ZERO);
    let record = rewritten(&record, &there);
    assert_eq!(age(&record, &there), MINUTE);
    assert_eq!(age(&record, &clock), MINUTE, "its writer's clock is still known");
}

#[test]
fn clocks_that_can_not_be_are_put_right_once() {
    let now = ManualClock::new().now();
    for (at, shift_ms) in
        [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]
    {
        let json = format!(
            r#"{{"version":2,"written":{{"boot":"gone","at":{at},"wall":"2026-11-28T12:00:00Z"}},"clocks":[{{"boot":"{}","shift_ms":{shift_ms}}}],"content":{{"at":{at},"count":1}}}}"#,
            now.boot
        );
        let read: Record<Happened> = Record::parse(json.as_bytes()).unwrap();
        let once = read.next(&now, read.content_at(&now));
        assert!(once.knows(&now), "{at} {shift_ms}");
        assert_eq!(once.content_at(&now), read.content_at(&now), "{at} {shift_ms}");
    }
}

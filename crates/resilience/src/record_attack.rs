//! What must be true of any bytes in a file of shared state, whatever the record is: the body of the fuzz targets.

use ibkr_connect_state::{Moment, Record, Shareable, Stamp};

/// Reads `bytes` as a record at several times, and calls `judge` with what a process would go on with, and with now.
///
/// It panics when a record is not what was written, is in the future, grows, or is never settled. What came of it is said in words.
pub(crate) fn attack<T: Shareable>(bytes: &[u8], judge: impl Fn(T, Moment) -> String) -> String {
    let record = match Record::<T>::parse(bytes) {
        Ok(record) => record,
        Err(why) => return why,
    };
    assert_eq!(Record::parse(&record.to_bytes()).as_ref(), Ok(&record));
    let mut words = String::new();
    for now in times() {
        let content = record.content_at(&now);
        content.clone().moments(&mut |moment| assert!(*moment <= now.at, "{moment:?} is after {now:?}"));
        let settled =
            (0..MOST_REWRITES).try_fold(record.clone(), |record, _| rewritten(&record, &now, bytes.len()));
        if let Ok(record) = settled {
            panic!("it is written again and again: {record:?}");
        }
        words.push_str(&judge(content, now.at));
    }
    words
}

/// A record whose clocks can't be is put right by who reads it first, or second.
const MOST_REWRITES: usize = 3;

/// The record that a process leaves which changes nothing; an error, if it would write nothing from then on.
fn rewritten<T: Shareable>(record: &Record<T>, now: &Stamp, length: usize) -> Result<Record<T>, ()> {
    let next = record.next(now, record.content_at(now));
    let written = next.to_bytes();
    assert!(written.len() <= length + 4_096, "it grows to {} bytes", written.len());
    assert_eq!(Record::parse(&written).as_ref(), Ok(&next));
    if next.knows(now) && next.content_at(now) == record.content_at(now) { Err(()) } else { Ok(next) }
}

/// In the boot of the corpus and in another one, whose clocks are early, late, or wrong.
fn times() -> impl Iterator<Item = Stamp> {
    let at = [0, 3_600_000, 400 * 86_400_000].map(Moment::from_millis);
    let wall = ["1970-01-01T00:00:00Z", "2026-11-28T12:00:00Z", "2100-01-01T00:00:00Z"];
    ["boot-1", "another"].into_iter().flat_map(move |boot| {
        at.into_iter().zip(wall).map(move |(at, wall)| Stamp {
            boot: boot.to_owned(),
            at,
            wall: wall.parse().unwrap(),
        })
    })
}

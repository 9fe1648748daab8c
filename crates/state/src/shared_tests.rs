//! Shared records: several handles on one directory, and disks that fail.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde::{Deserialize, Serialize};

use super::*;
use crate::clock::manual::ManualClock;
use crate::disk::manual::{DiskFault, ManualDisk};

/// The largest number that anybody has seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Largest {
    number: u32,
    seen: Moment,
}

impl Shareable for Largest {
    const VERSION: u32 = 1;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        change(&mut self.seen);
    }

    fn clamp(&mut self, _: Moment) {}
}

impl Mergeable for Largest {
    fn merge(&mut self, unwritten: Self) {
        self.number = self.number.max(unwritten.number);
    }
}

struct Fixture {
    temp: tempfile::TempDir,
    clock: ManualClock,
    disk: ManualDisk,
}

impl Fixture {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), clock: ManualClock::new(), disk: ManualDisk::default() }
    }

    fn directory(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    /// Another process, as far as the files go.
    fn shared(&self) -> Shared<Largest> {
        let disk = Arc::new(self.disk.clone());
        Shared::new(&self.directory(), "largest", Arc::new(self.clock.clone())).on(disk)
    }

    fn number(&self) -> u32 {
        number(&self.shared())
    }

    fn file(&self) -> PathBuf {
        self.directory().join("largest.json")
    }
}

fn number(shared: &Shared<Largest>) -> u32 {
    shared.look(|largest, _| largest.number).unwrap().unwrap()
}

fn see(shared: &Shared<Largest>, number: u32) -> Option<Error> {
    let changed = shared.change(|largest, visit| {
        largest.number = largest.number.max(number);
        largest.seen = visit.now.at;
    });
    changed.unwrap().unwritten
}

#[test]
fn every_process_sees_what_the_last_one_wrote() {
    let fixture = Fixture::new();
    assert!(see(&fixture.shared(), 7).is_none());
    assert_eq!(fixture.number(), 7);
    assert!(see(&fixture.shared(), 3).is_none());
    assert_eq!(fixture.number(), 7);
}

#[test]
fn looking_and_changing_nothing_writes_nothing() {
    let fixture = Fixture::new();
    assert!(fixture.shared().look(|_, _| ()).unwrap().is_none());
    assert!(!fixture.directory().exists());
    assert!(fixture.shared().change(|_, _| ()).unwrap().unwritten.is_none());
    assert!(!fixture.file().exists());
    see(&fixture.shared(), 7);
    let inode =
        || fs::metadata(fixture.file()).map(|meta| std::os::unix::fs::MetadataExt::ino(&meta)).unwrap();
    let before = inode();
    assert!(fixture.shared().change(|_, _| ()).unwrap().unwritten.is_none());
    fixture.shared().commit(|_, _| ()).unwrap();
    assert_eq!((fixture.number(), inode()), (7, before));
}

#[test]
fn the_first_change_after_a_reboot_settles_the_clock() {
    let fixture = Fixture::new();
    see(&fixture.shared(), 7);
    fixture.clock.reboot(jiff::Timestamp::UNIX_EPOCH);
    let age = || fixture.shared().look(|largest, visit| visit.now.at.since(largest.seen)).unwrap().unwrap();
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(age(), Duration::ZERO, "nobody has settled it yet");
    assert!(fixture.shared().change(|_, _| ()).unwrap().unwritten.is_none());
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(age(), Duration::from_secs(60));
}

#[test]
fn on_a_full_disk_a_process_remembers_by_itself() {
    let fixture = Fixture::new();
    let (ours, others) = (fixture.shared(), fixture.shared());
    see(&ours, 1);
    fixture.disk.set(Some(DiskFault::Full));
    let error = see(&ours, 7).unwrap();
    assert!(error.to_string().contains("largest.json"), "{error}");
    assert_eq!((number(&ours), number(&ours.clone()), number(&others)), (7, 7, 1));
    fixture.disk.set(None);
    see(&others, 5);
    assert_eq!((number(&ours), number(&others)), (7, 5));
    assert!(ours.change(|_, _| ()).unwrap().unwritten.is_none());
    assert_eq!((number(&ours), number(&others)), (7, 7), "written as soon as that was possible");
}

#[test]
fn what_must_be_written_is_not_done_otherwise() {
    let fixture = Fixture::new();
    let shared = fixture.shared();
    see(&shared, 1);
    fixture.disk.set(Some(DiskFault::Full));
    assert!(shared.commit(|largest, _| largest.number = 9).is_err());
    assert!(shared.replace(Largest::default()).is_err());
    assert_eq!(number(&shared), 1);
    fixture.disk.set(None);
    shared.commit(|largest, _| largest.number = 9).unwrap();
    assert_eq!(fixture.number(), 9);
}

#[test]
fn what_cannot_be_read_is_an_error_and_stays() {
    type Break = fn(&Path);
    let broken: [(&str, Break); 5] = [
        ("is empty", |file| fs::write(file, "").unwrap()),
        ("makes no sense", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("newer version", |file| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, text.replace("\"version\":1", "\"version\":2")).unwrap();
        }),
        ("mode 0600", |file| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap()),
        ("symbolic link", |file| {
            fs::rename(file, file.with_extension("moved")).unwrap();
            symlink(file.with_extension("moved"), file).unwrap();
        }),
    ];
    for (why, break_it) in broken {
        let fixture = Fixture::new();
        see(&fixture.shared(), 7);
        break_it(&fixture.file());
        let before = fs::read(fixture.file()).unwrap();
        let errors = [
            fixture.shared().look(|_, _| ()).unwrap_err(),
            fixture.shared().change(|largest, _| largest.number = 8).map(|_| ()).unwrap_err(),
            fixture.shared().commit(|largest, _| largest.number = 8).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(&error, Error::Unreadable { path, .. } if *path == fixture.file()), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(fs::read(fixture.file()).unwrap(), before, "{why}");
        let aside = fixture.shared().replace(Largest::default()).unwrap().unwrap();
        assert_eq!((fs::read(aside).unwrap(), fixture.number()), (before, 0), "{why}");
    }
}

#[test]
fn a_disk_that_cannot_read_is_an_error_too() {
    let fixture = Fixture::new();
    let shared = fixture.shared();
    see(&shared, 7);
    fixture.disk.set(Some(DiskFault::Unreadable));
    assert!(matches!(shared.look(|_, _| ()), Err(Error::Unreadable { .. })));
    assert!(matches!(shared.change(|_, _| ()), Err(Error::Unreadable { .. })));
    fixture.disk.set(None);
    assert_eq!(fixture.number(), 7);
}

#[test]
fn a_stopped_process_stops_changes_and_no_look() {
    let fixture = Fixture::new();
    see(&fixture.shared(), 7);
    let dir = Dir::private(&fixture.directory()).unwrap();
    let _held = FileLock::try_acquire(&dir, "largest.lock").unwrap().unwrap();
    assert_eq!(fixture.number(), 7);
    let shared = fixture.shared().waiting_at_most(Duration::from_millis(20));
    assert!(matches!(shared.change(|_, _| ()), Err(Error::Locked { .. })));
}

#[test]
fn the_file_of_an_older_version_is_followed_until_there_is_a_newer_one() {
    let fixture = Fixture::new();
    see(&fixture.shared(), 7);
    let newer = || {
        let clock = Arc::new(fixture.clock.clone());
        Shared::<Largest>::new(&fixture.directory(), "larger", clock).following("largest")
    };
    assert_eq!(number(&newer()), 7);
    see(&newer(), 8);
    see(&fixture.shared(), 9);
    assert_eq!((number(&newer()), fixture.number()), (8, 9));
    newer().replace(Largest::default()).unwrap();
    assert_eq!(number(&newer()), 0);
}

#[test]
fn an_older_file_that_cannot_be_read_is_named() {
    let fixture = Fixture::new();
    see(&fixture.shared(), 7);
    fs::write(fixture.file(), "garbage").unwrap();
    let newer = Shared::<Largest>::new(&fixture.directory(), "larger", Arc::new(fixture.clock.clone()))
        .following("largest");
    let error = newer.look(|_, _| ()).unwrap_err();
    assert!(matches!(&error, Error::Unreadable { path, .. } if *path == fixture.file()), "{error}");
    newer.replace(Largest::default()).unwrap();
    assert_eq!(number(&newer), 0);
}

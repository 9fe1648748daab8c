//! The files of a configuration: which are obeyed, and that looking at one takes no time, whatever lies there.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, absolute};

use rustix::fs::OFlags;
use rustix::process::{getegid, geteuid};

use crate::{Error, ErrorKind, Result};

/// A configuration has some hundred bytes; a `.env` of other programs may have certificates in it.
const LONGEST: u64 = 1024 * 1024;

const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;

/// How a file came to be part of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It lies where we look, whoever put it there. It is obeyed if it is ours or root's and nobody else can write it.
    Found,
    /// The user has named it, and answers for it.
    Named,
}

/// The text of a file; `None` when there is no such file.
///
/// # Errors
/// `config`, when it can't be read, is not a regular file, is too long, is not UTF-8, or, if it was `Found`, when somebody
/// else may have written it.
pub(super) fn read(path: &Path, origin: Origin) -> Result<Option<String>> {
    let outcome = match origin {
        Origin::Found => not_planted(path).and_then(|()| regular(path)),
        Origin::Named => regular(path),
    };
    let file = match outcome {
        Err(Refused::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        outcome => outcome.map_err(|refused| refused.into_error(path))?,
    };
    text(file, origin).map(Some).map_err(|refused| refused.into_error(path))
}

/// Why a file is not read.
enum Refused {
    Io(io::Error),
    /// What is wrong with it, and the way out.
    Is(String, &'static str),
    /// Who may have written it.
    Untrusted(String, String),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Refused {
    fn into_error(self, path: &Path) -> Error {
        let shown = absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let shown = shown.display();
        match self {
            Self::Io(error) => {
                Error::new(ErrorKind::Config, format!("can't read {}: {error}", path.display()))
                    .with_advice("check the path and its permissions")
                    .with_source(error)
            }
            Self::Is(what, advice) => {
                Error::new(ErrorKind::Config, format!("{shown} is not read: {what}")).with_advice(advice)
            }
            Self::Untrusted(why, remedy) => {
                Error::new(ErrorKind::Config, format!("{shown} is not obeyed: {why}")).with_advice(format!(
                    "{remedy}, or remove the file; settings can also come from the environment, or from a file of yours \
                     that is named with --config"
                ))
            }
        }
    }
}

/// A link that somebody else has put there leads to a file of their choice, even if that is ours.
fn not_planted(path: &Path) -> Result<(), Refused> {
    let meta = path.symlink_metadata()?;
    if !meta.is_symlink() || is_ours_or_roots(meta.uid()) {
        return Ok(());
    }
    Err(Refused::Untrusted(
        format!("it is a link that belongs to uid {}, and this program runs as uid {}", meta.uid(), us()),
        "put a file of your own in its place".to_owned(),
    ))
}

/// Opens a regular file and nothing else: neither a FIFO nor a device is touched.
fn regular(path: &Path) -> Result<File, Refused> {
    only_regular(&path.metadata()?)?;
    // Should it have been replaced since: opening a FIFO does not wait, and a terminal does not become ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    only_regular(&file.metadata()?)?;
    Ok(file)
}

fn only_regular(meta: &Metadata) -> Result<(), Refused> {
    let kind = meta.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "it is a directory"
    } else if kind.is_fifo() {
        "it is a FIFO"
    } else if kind.is_socket() {
        "it is a socket"
    } else {
        "it is a device"
    };
    Err(Refused::Is(what.to_owned(), "put a regular file in its place, or remove it"))
}

fn text(file: File, origin: Origin) -> Result<String, Refused> {
    let meta = file.metadata()?;
    if origin == Origin::Found {
        only_trusted(&Rights::of(&meta), &Process::this())?;
    }
    let mut bytes = Vec::new();
    // What its length says is not believed: it may grow, and a file of /proc says 0.
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    decoded(bytes)
}

fn decoded(bytes: Vec<u8>) -> Result<String, Refused> {
    const ADVICE: &str = "write settings into it, one a line, as UTF-8 text";
    if bytes.len() as u64 > LONGEST {
        return Err(Refused::Is(format!("it is longer than {LONGEST} bytes"), ADVICE));
    }
    if bytes.contains(&0) {
        return Err(Refused::Is("it has zero bytes, as UTF-16 has".to_owned(), ADVICE));
    }
    let text = String::from_utf8(bytes).map_err(|_| Refused::Is("it is not UTF-8".to_owned(), ADVICE))?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// The text of such bytes, as [`read`] would give it.
#[cfg(test)]
pub(super) fn text_of(bytes: &[u8]) -> Option<String> {
    decoded(bytes.to_vec()).ok()
}

/// Who can write a file.
struct Rights {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Rights {
    fn of(meta: &Metadata) -> Self {
        Self { owner: meta.uid(), group: meta.gid(), mode: meta.mode() & 0o7777 }
    }
}

/// As whom a program runs.
struct Process {
    user: u32,
    group: u32,
}

impl Process {
    fn this() -> Self {
        Self { user: us(), group: getegid().as_raw() }
    }

    /// Whether only this user is in the group of a file. Where every user has a group of the same number, files are made
    /// writable for it (umask 002).
    fn is_alone_in(&self, group: u32) -> bool {
        self.user != 0 && group == self.user && group == self.group
    }
}

fn only_trusted(file: &Rights, process: &Process) -> Result<(), Refused> {
    let Rights { owner, group, mode } = *file;
    let rights = format!("it belongs to uid {owner} with mode {mode:04o}");
    if owner != process.user && owner != 0 {
        let why = format!("{rights}, and this program runs as uid {}", process.user);
        return Err(Refused::Untrusted(
            why,
            format!("make it yours if you know what is in it (chown {})", process.user),
        ));
    }
    let writable =
        mode & WRITABLE_BY_ALL != 0 || mode & WRITABLE_BY_GROUP != 0 && !process.is_alone_in(group);
    if writable {
        let why = format!("{rights} (group {group}), so that others can write it");
        return Err(Refused::Untrusted(why, "let only its owner write it (chmod go-w)".to_owned()));
    }
    Ok(())
}

fn is_ours_or_roots(owner: u32) -> bool {
    owner == us() || owner == 0
}

fn us() -> u32 {
    geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::*;

    fn place(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[track_caller]
    fn refused(path: &Path, origin: Origin, words: &str) -> Error {
        let begun = Instant::now();
        let error = read(path, origin).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(1), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(path.to_str().unwrap()), "{error}");
        assert!(error.message().contains(words) && error.advice().is_some(), "{error:?}");
        error
    }

    #[test]
    fn a_file_is_obeyed_by_its_owner_and_mode() {
        let user = Process { user: 1000, group: 1000 };
        let root = Process { user: 0, group: 0 };
        let in_users = Process { user: 100, group: 5 };
        let shared = Process { user: 1000, group: 100 };
        for (process, owner, group, mode, is_obeyed) in [
            (&user, 1000, 1000, 0o644, true),
            (&user, 1000, 1000, 0o600, true),
            (&user, 1000, 1000, 0o664, true),
            (&user, 0, 0, 0o644, true),
            (&user, 0, 0, 0o664, false),
            (&user, 1000, 1000, 0o666, false),
            (&user, 1000, 1000, 0o602, false),
            (&user, 1000, 100, 0o664, false),
            (&user, 1001, 1001, 0o644, false),
            (&user, 65_534, 1000, 0o600, false),
            (&shared, 1000, 100, 0o660, false),
            (&in_users, 100, 100, 0o660, false),
            (&root, 0, 0, 0o644, true),
            (&root, 0, 0, 0o664, false),
            (&root, 1000, 1000, 0o644, false),
        ] {
            let rights = Rights { owner, group, mode };
            let place = format!("uid {}: {owner}:{group} {mode:o}", process.user);
            assert_eq!(only_trusted(&rights, process).is_ok(), is_obeyed, "{place}");
        }
    }

    #[test]
    fn what_others_can_write_is_refused_unless_it_was_named() {
        let (_directory, path) = place("ibkr.toml", b"port = 4001");
        for (mode, words) in [(0o666, "mode 0666"), (0o646, "mode 0646"), (0o4777, "mode 4777")] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = refused(&path, Origin::Found, words);
            assert!(error.message().contains(&format!("uid {}", us())), "{error}");
            assert!(error.advice().is_some_and(|advice| advice.contains("chmod go-w")), "{error:?}");
        }
        assert_eq!(read(&path, Origin::Named).unwrap().unwrap(), "port = 4001");
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused_unless_it_was_named() {
        let (directory, path) = place("ibkr.toml", b"port = 4001");
        // Only root can give files away; whose files are obeyed is tested above.
        if chown(&path, Some(12_345), None).is_ok() {
            refused(
                &path,
                Origin::Found,
                "belongs to uid 12345 with mode 0644, and this program runs as uid 0",
            );
            assert!(read(&path, Origin::Named).unwrap().is_some());

            let (ours, link) = (directory.path().join("ours"), directory.path().join("link"));
            fs::write(&ours, "port = 4001").unwrap();
            symlink(&ours, &link).unwrap();
            assert!(read(&link, Origin::Found).unwrap().is_some(), "a link of ours to a file of ours");
            lchown(&link, Some(12_345), None).unwrap();
            refused(&link, Origin::Found, "a link that belongs to uid 12345");
        }
    }

    #[test]
    fn only_regular_files_are_read_and_no_other_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let fifo = at("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        for (name, target) in [("zero", "/dev/zero"), ("tty", "/dev/tty"), ("pipe", fifo.to_str().unwrap())] {
            symlink(target, at(name)).unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for origin in [Origin::Found, Origin::Named] {
            refused(&fifo, origin, "it is a FIFO");
            refused(&at("pipe"), origin, "it is a FIFO");
            refused(&at("zero"), origin, "it is a device");
            refused(&at("tty"), origin, "it is a device");
            refused(&at("socket"), origin, "it is a socket");
            refused(directory.path(), origin, "it is a directory");
        }
        assert!(read(&at("nothing"), Origin::Found).unwrap().is_none());
    }

    #[test]
    fn a_huge_file_is_refused_at_once() {
        let (_directory, path) = place("ibkr.toml", b"");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        refused(&path, Origin::Named, "longer than 1048576 bytes");
        file.set_len(0).unwrap();
        fs::write(&path, vec![b'#'; LONGEST as usize]).unwrap();
        assert!(read(&path, Origin::Found).unwrap().is_some(), "the longest");
    }

    #[test]
    fn text_is_utf8_with_or_without_a_byte_order_mark() {
        let (_directory, path) = place("a", "\u{feff}port = 4001\r\n".as_bytes());
        assert_eq!(read(&path, Origin::Found).unwrap().unwrap(), "port = 4001\r\n");
        for (bytes, words) in [(&b"p\0o\0r\0t\0"[..], "UTF-16"), (b"host = \"caf\xe9\"", "not UTF-8")] {
            let (_directory, path) = place("a", bytes);
            refused(&path, Origin::Found, words);
        }
    }
}

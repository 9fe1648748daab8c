//! Processes and the sockets they hold, from /proc.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat, readlinkat_raw};
use rustix::io::Errno;

use crate::process::{Process, Standing};

/// With fewer processes the second thread does not pay.
const WORTH_A_THREAD: usize = 100;
/// For directory entries; a process rarely has more descriptors than fit.
const BUFFER_BYTES: usize = 16 * 1024;

/// A /proc directory.
#[derive(Debug, Clone)]
pub(crate) struct Procs {
    root: PathBuf,
}

/// Which processes hold which sockets.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// (pid, fd) by inode. Every holder: a socket is shared by all that were forked with it.
    pub(crate) by_inode: HashMap<u64, Vec<(u32, i32)>>,
    /// Processes whose descriptors may not be read.
    pub(crate) hidden: usize,
}

impl Procs {
    pub(crate) fn system() -> Self {
        Self { root: PathBuf::from("/proc") }
    }

    /// Looks through the descriptors of all processes for sockets with one of `inodes`.
    ///
    /// It costs the kernel some 5 us per descriptor, so two threads share it.
    pub(crate) fn holders(&self, inodes: &HashSet<u64>) -> io::Result<Holders> {
        let root = open_directory(&self.root)?;
        let pids = self.pids(&root)?;
        if pids.is_empty() {
            // A mount point without its mount: it would look as if nobody held anything.
            return Err(io::Error::new(io::ErrorKind::NotFound, "it lists no process"));
        }
        let (here, there) =
            pids.split_at(if pids.len() < WORTH_A_THREAD { pids.len() } else { pids.len() / 2 });
        let search = |pids: &[u32]| Search::new(inodes).run(&root, pids);
        thread::scope(|scope| {
            let helper = match there {
                [] => None,
                there => thread::Builder::new().spawn_scoped(scope, || search(there)).ok(),
            };
            let mut holders = search(here);
            // Without a helper (no thread to be had, or it has panicked) this thread does it all.
            let rest = helper.and_then(|helper| helper.join().ok());
            holders.merge(rest.unwrap_or_else(|| search(there)));
            Ok(holders)
        })
    }

    /// The ids of all processes.
    pub(crate) fn all(&self) -> io::Result<Vec<u32>> {
        self.pids(&open_directory(&self.root)?)
    }

    fn pids(&self, root: &OwnedFd) -> io::Result<Vec<u32>> {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        let mut entries = RawDir::new(root, buffer.spare_capacity_mut());
        let mut pids = Vec::new();
        while let Some(entry) = entries.next() {
            pids.extend(number::<u32>(entry?.file_name().to_bytes()));
        }
        Ok(pids)
    }

    /// Who `pid` is now. Read through one directory handle, so that all of it is of one process.
    pub(crate) fn process(&self, pid: u32) -> io::Result<Process> {
        let directory = open_directory(&self.root.join(pid.to_string()))?;
        let stat = Stat::parse(&read(&directory, "stat")?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat")))?;
        let args = arguments(&read(&directory, "cmdline").unwrap_or_default());
        let exe = link(&directory, "exe").map(|path| PathBuf::from(path.trim_end_matches(" (deleted)")));
        let names = exe.as_deref().map(|exe| names(exe, args.first())).unwrap_or_default();
        Ok(Process {
            pid,
            start_time: stat.start_time,
            exe,
            command: stat.command,
            args,
            uid: uid(&read(&directory, "status")?),
            standing: Standing {
                parent: stat.parent,
                group: stat.group,
                session: stat.session,
                names,
                pid_namespace: link(&directory, "ns/pid"),
                net_namespace: link(&directory, "ns/net"),
            },
        })
    }

    /// The process ids of all ancestors of `process`, as far as they can be seen.
    pub(crate) fn ancestors(&self, process: &Process) -> Vec<u32> {
        let mut ancestors = Vec::new();
        let mut parent = process.standing.parent;
        while parent != 0 && !ancestors.contains(&parent) {
            ancestors.push(parent);
            parent = self.process(parent).map_or(0, |process| process.standing.parent);
        }
        ancestors
    }
}

impl Holders {
    fn merge(&mut self, other: Self) {
        self.hidden += other.hidden;
        for (inode, found) in other.by_inode {
            self.by_inode.entry(inode).or_default().extend(found);
        }
    }
}

/// A search through the descriptors of some processes.
struct Search<'a> {
    inodes: &'a HashSet<u64>,
    holders: Holders,
    buffer: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(inodes: &'a HashSet<u64>) -> Self {
        Self { inodes, holders: Holders::default(), buffer: Vec::with_capacity(BUFFER_BYTES) }
    }

    fn run(mut self, root: &OwnedFd, pids: &[u32]) -> Holders {
        for &pid in pids {
            // Any other error: the process ended meanwhile.
            if let Err(Errno::ACCESS | Errno::PERM) = self.process(root, pid) {
                self.holders.hidden += 1;
            }
        }
        self.holders
    }

    fn process(&mut self, root: &OwnedFd, pid: u32) -> rustix::io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(root, format!("{pid}/fd"), flags, Mode::empty())?;
        let mut entries = RawDir::new(&directory, self.buffer.spare_capacity_mut());
        let mut link = [MaybeUninit::uninit(); 64];
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let Some(fd) = number::<i32>(entry.file_name().to_bytes()) else { continue };
            let Ok((link, _)) = readlinkat_raw(&directory, entry.file_name(), &mut link) else { continue };
            if let Some(inode) = socket_inode(link).filter(|inode| self.inodes.contains(inode)) {
                self.holders.by_inode.entry(inode).or_default().push((pid, fd));
            }
        }
        Ok(())
    }
}

/// Which socket a descriptor of a process is now.
pub(crate) fn descriptor_link(pid: u32, fd: i32) -> Option<u64> {
    let link = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    socket_inode(&link.into_os_string().into_vec())
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn read(directory: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let file = openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::new();
    fs::File::from(file).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn link(directory: &OwnedFd, name: &str) -> Option<String> {
    let link = readlinkat(directory, name, Vec::new()).ok()?;
    Some(link.to_string_lossy().into_owned())
}

fn socket_inode(link: &[u8]) -> Option<u64> {
    number(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    str::from_utf8(digits).ok()?.parse().ok()
}

fn arguments(cmdline: &[u8]) -> Vec<String> {
    let text = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|&byte| byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect()
}

fn uid(status: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(status);
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(u32::MAX)
}

fn names(exe: &Path, first_argument: Option<&String>) -> Vec<String> {
    let own = exe.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = own.into_iter().collect();
    let alias = first_argument.and_then(|arg| Path::new(arg).file_name());
    if let Some((alias, directory)) = alias.zip(exe.parent())
        && fs::canonicalize(directory.join(alias)).is_ok_and(|target| target == exe)
    {
        let alias = alias.to_string_lossy().into_owned();
        if !names.contains(&alias) {
            names.push(alias);
        }
    }
    names
}

/// What we need of /proc/PID/stat.
struct Stat {
    command: String,
    parent: u32,
    group: u32,
    session: u32,
    start_time: u64,
}

impl Stat {
    /// The name may hold anything, parentheses and spaces too: it ends at the LAST parenthesis.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, tail) = text.rsplit_once(')')?;
        let command = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        // proc(5) counts from 1; the state is field 3 and first in `fields`.
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        let start_time = fields.get(22 - 3)?.parse().ok()?;
        Some(Self { command, parent: field(4)?, group: field(5)?, session: field(6)?, start_time })
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let stat = b"42 (a) S 1 (java) S 7 8 9 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0\n";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!(stat.command, "a) S 1 (java");
        assert_eq!((stat.parent, stat.group, stat.session, stat.start_time), (7, 8, 9, 98765));
    }

    #[test]
    fn this_process_is_found_with_all_it_is() {
        let procs = Procs::system();
        let me = procs.process(std::process::id()).unwrap();
        assert_eq!(me.exe.as_deref(), std::env::current_exe().ok().as_deref());
        assert!(me.standing.pid_namespace.as_deref().unwrap().starts_with("pid:["));
        assert!(me.start_time > 0);
        assert!(procs.ancestors(&me).contains(&me.standing.parent));
    }

    #[test]
    fn a_shared_socket_has_all_its_descriptors() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let copy = listener.try_clone().unwrap();
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        let holders = Procs::system().holders(&HashSet::from([inode])).unwrap();
        let mut fds: Vec<i32> = holders.by_inode[&inode].iter().map(|&(_, fd)| fd).collect();
        fds.sort_unstable();
        use std::os::fd::AsRawFd;
        let mut ours = vec![listener.as_raw_fd(), copy.as_raw_fd()];
        ours.sort_unstable();
        assert_eq!(fds, ours);
        assert_eq!(descriptor_link(std::process::id(), ours[0]), Some(inode));
    }

    #[test]
    fn the_link_a_program_was_started_by_is_a_name_only_if_it_leads_there() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let exe = dir.join("python3.12");
        fs::write(&exe, "").unwrap();
        std::os::unix::fs::symlink(&exe, dir.join("python3")).unwrap();
        fs::write(dir.join("other"), "").unwrap();
        let names_for = |arg: &str| names(&exe, Some(&arg.to_owned()));
        assert_eq!(names_for("/anywhere/python3"), ["python3.12", "python3"]);
        assert_eq!(names_for("other"), ["python3.12"], "a made-up argv[0] is not a name");
        assert_eq!(names_for("python3.12"), ["python3.12"]);
    }

    #[test]
    fn without_proc_the_answer_is_an_error() {
        let unmounted = tempfile::tempdir().unwrap();
        for root in [Path::new("/proc/no-such-directory"), unmounted.path()] {
            let procs = Procs { root: root.to_owned() };
            assert_eq!(procs.holders(&HashSet::from([1])).unwrap_err().kind(), io::ErrorKind::NotFound);
            assert!(procs.process(1).is_err());
        }
    }
}

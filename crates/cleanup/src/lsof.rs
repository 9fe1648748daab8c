//! macOS and other Unix systems: lsof and ps tell what the kernel has no stable interface for.
//!
//! Blind where lsof is: connections that nobody has accepted, ages, and without root the processes of others. Compiled in
//! the tests of every system, so that it can't rot unseen.
#![cfg_attr(target_os = "linux", allow(dead_code, reason = "only its parsers are used, by the tests"))]

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::limit::Limit;
use crate::process::{Process, Standing};
use crate::socket::{Family, Row, TcpState};

/// Where socket rows come from: here always lsof.
pub(crate) struct Source;

impl Source {
    pub(crate) fn open() -> Self {
        Self
    }

    pub(crate) fn half_closed(&mut self) -> Result<Vec<Row>, Error> {
        rows(|row| row.state == TcpState::CloseWait)
    }

    pub(crate) fn fin_wait(&mut self) -> Result<Vec<Row>, Error> {
        rows(|row| row.state == TcpState::FinWait)
    }

    pub(crate) fn listeners(&mut self, port: u16) -> Result<Vec<Row>, Error> {
        rows(|row| row.state == TcpState::Listen && row.local.port() == port)
    }

    /// lsof does not see them.
    pub(crate) fn unaccepted(&mut self, _port: u16) -> Result<Vec<Row>, Error> {
        Ok(Vec::new())
    }

    pub(crate) fn destroy(&mut self, _row: &Row) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
    }

    pub(crate) fn limit(&self) -> Option<Limit> {
        Some(Limit::NoSockDiag { reason: "this system has none, lsof is asked".to_owned() })
    }
}

/// Processes, from ps.
#[derive(Debug, Clone)]
pub(crate) struct Procs;

/// Which processes hold which sockets.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    pub(crate) by_inode: HashMap<u64, Vec<(u32, i32)>>,
    pub(crate) hidden: usize,
}

impl Procs {
    pub(crate) fn system() -> Self {
        Self
    }

    pub(crate) fn holders(&self, inodes: &HashSet<u64>) -> io::Result<Holders> {
        let mut holders = Holders::default();
        for file in files().map_err(io::Error::other)? {
            if inodes.contains(&file.row.inode) {
                holders.by_inode.entry(file.row.inode).or_default().push((file.pid, file.fd));
            }
        }
        Ok(holders)
    }

    /// The ids of all processes.
    pub(crate) fn all(&self) -> io::Result<Vec<u32>> {
        let lines = run("ps", &["-axo", "pid="]).map_err(io::Error::other)?;
        Ok(lines.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    pub(crate) fn process(&self, pid: u32) -> io::Result<Process> {
        let fields = "ppid=,pgid=,uid=,lstart=,comm=";
        let line = run("ps", &["-o", fields, "-p", &pid.to_string()]).map_err(io::Error::other)?;
        let args = run("ps", &["-o", "args=", "-p", &pid.to_string()]).map_err(io::Error::other)?;
        parse_process(pid, &line, &args).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

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

/// Which socket a descriptor of a process is now.
pub(crate) fn descriptor_link(pid: u32, fd: i32) -> Option<u64> {
    files().ok()?.into_iter().find(|file| file.pid == pid && file.fd == fd).map(|file| file.row.inode)
}

/// Without peers of their own that are ownerless there is nothing to time.
pub(crate) fn fin_timeout() -> Option<Duration> {
    None
}

/// Identifies this boot.
pub(crate) fn boot_id() -> String {
    run("sysctl", &["-n", "kern.bootsessionuuid"]).unwrap_or_default().trim().to_owned()
}

/// One open TCP socket of one process.
#[derive(Debug)]
struct OpenFile {
    pid: u32,
    fd: i32,
    row: Row,
}

fn rows(wanted: impl Fn(&Row) -> bool) -> Result<Vec<Row>, Error> {
    let mut rows: Vec<Row> = files()?.into_iter().map(|file| file.row).filter(wanted).collect();
    // A shared socket is listed once per holder.
    rows.sort_by_key(|row| row.inode);
    rows.dedup_by_key(|row| row.inode);
    Ok(rows)
}

fn files() -> Result<Vec<OpenFile>, Error> {
    run("lsof", &["-nP", "-iTCP", "-FpufdntT"]).map(|text| parse_files(&text))
}

/// lsof and ps end with 1 when they find nothing: only a failure to start, or words on stderr, is one.
#[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
fn run(program: &'static str, args: &[&str]) -> Result<String, Error> {
    let failed = |message: String| Error::Tool { program, message };
    let output = Command::new(program).args(args).output().map_err(|error| failed(error.to_string()))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if stdout.is_empty() && !output.status.success() && !output.stderr.is_empty() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(stdout)
}

/// lsof -F: one field a line, its first byte says which; "p" starts a process, "f" a file of it.
fn parse_files(text: &str) -> Vec<OpenFile> {
    let (mut pid, mut uid) = (0, u32::MAX);
    let mut files = Vec::new();
    let mut fields: HashMap<String, String> = HashMap::new();
    for line in text.lines().chain(["f"]) {
        let Some(kind) = line.chars().next() else { continue };
        let value = &line[kind.len_utf8()..];
        if kind == 'p' || kind == 'f' {
            files.extend(file(pid, uid, &fields));
            fields.clear();
        }
        match kind {
            'p' => pid = value.parse().unwrap_or_default(),
            'u' => uid = value.parse().unwrap_or(u32::MAX),
            // T has several values: TST=CLOSE_WAIT, TQR=1, TQS=0
            'T' => drop(
                value
                    .split_once('=')
                    .map(|(name, value)| fields.insert(format!("T{name}"), value.to_owned())),
            ),
            _ => drop(fields.insert(kind.to_string(), value.to_owned())),
        }
    }
    files
}

fn file(pid: u32, uid: u32, fields: &HashMap<String, String>) -> Option<OpenFile> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let (local, remote) = field("n")?.split_once("->").unwrap_or((field("n")?, "*:0"));
    let family = if field("t") == Some("IPv6") { Family::V6 } else { Family::V4 };
    Some(OpenFile {
        pid,
        fd: field("f")?.parse().ok()?,
        row: Row {
            family,
            local: address(local)?,
            remote: address(remote)?,
            interface: 0,
            state: state(field("TST")?),
            // The kernel's address of the socket: its identity while it is open.
            inode: u64::from_str_radix(field("d")?.trim_start_matches("0x"), 16).ok()?,
            cookie: None,
            uid,
            recv_queue: number("TQR"),
            send_queue: number("TQS"),
            last_ack: None,
            bytes_acked: None,
            expires: None,
        },
    })
}

fn state(name: &str) -> TcpState {
    match name {
        "ESTABLISHED" => TcpState::Established,
        "FIN_WAIT1" | "FIN_WAIT2" | "FIN_WAIT_1" | "FIN_WAIT_2" => TcpState::FinWait,
        "CLOSE_WAIT" | "CLOSED_WAIT" => TcpState::CloseWait,
        "LISTEN" => TcpState::Listen,
        _ => TcpState::Other,
    }
}

/// "127.0.0.1:4002", "[::1]:4002" or "*:4002"
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = if host == "*" { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { host.parse().ok()? };
    Some(SocketAddr::new(ip.to_canonical(), port.parse().ok()?))
}

/// "PPID PGID UID Mon Nov 23 21:56:16 2026 /path/of/exe"
fn parse_process(pid: u32, line: &str, args: &str) -> Option<Process> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let exe = PathBuf::from(fields.get(8..)?.join(" "));
    let name = exe.file_name()?.to_string_lossy().into_owned();
    // Not a number of anything, but another for another start.
    let start: String = fields.get(4..8)?.concat().chars().filter(char::is_ascii_alphanumeric).collect();
    Some(Process {
        pid,
        start_time: start.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(131).wrapping_add(byte.into())),
        command: name.clone(),
        args: args.split_whitespace().map(str::to_owned).collect(),
        uid: number(2)?,
        standing: Standing {
            parent: number(0)?,
            group: number(1)?,
            session: 0,
            names: vec![name],
            // There is one of each.
            pid_namespace: Some(String::new()),
            net_namespace: Some(String::new()),
        },
        exe: Some(exe).filter(|exe| exe.is_absolute() || exe.as_path() != Path::new("")),
    })
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lsof_prints_becomes_rows() {
        let text = "p501\nu1000\nf5\ntIPv4\nd0xabc1\nn127.0.0.1:50000->127.0.0.1:4002\nTST=CLOSE_WAIT\nTQR=1\nTQS=0\n\
                    f6\ntIPv6\nd0xabc2\nn[::1]:50001->[::1]:4002\nTST=ESTABLISHED\n\
                    p77\nu0\nf4\ntIPv6\nd0xabc3\nn*:4002\nTST=LISTEN\nftxt\nn/bin/x\n";
        let files = parse_files(text);
        assert_eq!(files.len(), 3);
        let first = &files[0];
        assert_eq!((first.pid, first.fd, first.row.uid), (501, 5, 1000));
        assert_eq!(
            (first.row.inode, first.row.state, first.row.recv_queue),
            (0xabc1, TcpState::CloseWait, 1)
        );
        assert_eq!(first.row.remote, "127.0.0.1:4002".parse().unwrap());
        assert_eq!(files[1].row.local, "[::1]:50001".parse().unwrap());
        assert_eq!(
            (files[2].pid, files[2].row.state, files[2].row.local.port()),
            (77, TcpState::Listen, 4002)
        );
    }

    #[test]
    fn what_ps_prints_becomes_a_process() {
        let line = "    1   501   502 Mon Nov 23 21:56:16 2026     /Applications/My App/bin/python3\n";
        let process = parse_process(501, line, "python3 bot.py\n").unwrap();
        assert_eq!(process.exe.as_deref(), Some(Path::new("/Applications/My App/bin/python3")));
        assert_eq!((process.command.as_str(), process.uid, process.standing.parent), ("python3", 502, 1));
        let later = parse_process(501, &line.replace(":16", ":17"), "").unwrap();
        assert_ne!(process.start_time, later.start_time);
        assert!(parse_process(501, "", "").is_none(), "no such process");
    }
}

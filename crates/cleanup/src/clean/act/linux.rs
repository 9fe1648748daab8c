//! The hands of the cleanup. Every step holds a pidfd first and looks at the process again through it: a pid that has
//! passed to somebody else is noticed before anything is done.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::net::sockopt::socket_cookie;
use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, pidfd_getfd, pidfd_open, pidfd_send_signal};

use super::Obstacle;
use crate::clean::report::MissingRight;
use crate::process::Owner;
use crate::scan::Zombie;
use crate::socket::HalfClosed;
use crate::sys::{Procs, descriptor_link};

/// How long a process may take to be gone after SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Shuts the socket down through the descriptor of one of its owners. A graceful FIN; nobody dies.
pub(in crate::clean) fn close(procs: &Procs, zombie: &Zombie) -> Result<(), Obstacle> {
    let mut obstacle = Obstacle::Gone;
    for owner in &zombie.owners {
        match close_in(procs, owner, &zombie.socket) {
            Ok(()) => return Ok(()),
            Err(Obstacle::Gone) => {}
            Err(other) => obstacle = other,
        }
    }
    Err(obstacle)
}

fn close_in(procs: &Procs, owner: &Owner, socket: &HalfClosed) -> Result<(), Obstacle> {
    let process = hold(procs, owner, socket)?;
    let copy = pidfd_getfd(&process, owner.fd, PidfdGetfdFlags::empty()).map_err(|error| match error {
        Errno::PERM | Errno::ACCESS => Obstacle::Missing(MissingRight::Ptrace),
        Errno::NOSYS => Obstacle::Missing(MissingRight::Pidfd),
        Errno::BADF | Errno::SRCH => Obstacle::Gone,
        other => Obstacle::Failed(format!("its socket can't be reached: {other}")),
    })?;
    if !is_that_socket(&copy, socket) {
        return Err(Obstacle::Gone);
    }
    match shutdown(&copy, Shutdown::Write) {
        // Not connected any more: somebody else was faster.
        Ok(()) | Err(Errno::NOTCONN) => Ok(()),
        Err(error) => Err(Obstacle::Failed(format!("its socket can't be shut down: {error}"))),
    }
}

/// By cookie, or where only /proc/net is to be had by inode.
fn is_that_socket(copy: &OwnedFd, socket: &HalfClosed) -> bool {
    let inode = fstat(copy).map(|stat| stat.st_ino);
    let cookie = match socket.cookie {
        Some(cookie) => socket_cookie(copy) == Ok(cookie),
        None => true,
    };
    inode == Ok(socket.inode) && cookie
}

/// Ends the process: SIGTERM, after `grace` SIGKILL. `Ok` when it is gone.
pub(in crate::clean) fn kill(
    procs: &Procs,
    owner: &Owner,
    socket: &HalfClosed,
    grace: Duration,
) -> Result<(), Obstacle> {
    let process = hold(procs, owner, socket)?;
    let pid = owner.process.pid;
    tracing::warn!(pid, command = owner.process.command, "zombie_holder_terminated");
    signal(&process, Signal::TERM)?;
    if has_ended(&process, grace) {
        return Ok(());
    }
    if descriptor_link(pid, owner.fd) != Some(socket.inode) {
        // It heard, closed its connection and lives on.
        return Err(Obstacle::Gone);
    }
    tracing::warn!(pid, command = owner.process.command, "zombie_holder_killed");
    signal(&process, Signal::KILL)?;
    if has_ended(&process, KILL_PATIENCE) {
        return Ok(());
    }
    Err(Obstacle::Failed(format!("process {pid} is still there {KILL_PATIENCE:?} after SIGKILL")))
}

/// A handle on the owner, given only if it still is who it was and still holds the socket.
fn hold(procs: &Procs, owner: &Owner, socket: &HalfClosed) -> Result<OwnedFd, Obstacle> {
    let pid = i32::try_from(owner.process.pid).ok().and_then(Pid::from_raw).ok_or(Obstacle::Gone)?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| match error {
        Errno::NOSYS => Obstacle::Missing(MissingRight::Pidfd),
        Errno::SRCH | Errno::INVAL => Obstacle::Gone,
        other => Obstacle::Failed(format!("process {} can't be held: {other}", owner.process.pid)),
    })?;
    // Read after the handle is held: what is read is the handle's process, or the handle's has ended.
    let now = procs.process(owner.process.pid).map_err(|_| Obstacle::Gone)?;
    let same = now.is(&owner.process) && descriptor_link(owner.process.pid, owner.fd) == Some(socket.inode);
    if same && !has_ended(&handle, Duration::ZERO) { Ok(handle) } else { Err(Obstacle::Gone) }
}

fn signal(process: &OwnedFd, signal: Signal) -> Result<(), Obstacle> {
    match pidfd_send_signal(process, signal) {
        // It ended by itself: as good.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(Errno::PERM) => Err(Obstacle::Missing(MissingRight::Signal)),
        Err(error) => Err(Obstacle::Failed(format!("signal {signal:?} can't be sent: {error}"))),
    }
}

/// Whether the process ends within `patience`. A pidfd is readable from then on.
fn has_ended(process: &OwnedFd, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(process, PollFlags::IN)], timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Ok(count) => return count > 0,
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};

    use rustix::process::{WaitId, WaitIdOptions, kill_process, waitid};

    use super::*;
    use crate::scan::half_closed;

    const GRACE: Duration = Duration::from_millis(100);

    /// A process with a half-closed socket as its stdin, and what is known of both.
    struct Victim {
        child: Child,
        owner: Owner,
        socket: HalfClosed,
    }

    impl Victim {
        fn new() -> Self {
            Self::running(&["sleep", "600"], |_| {})
        }

        /// `script` writes a byte when its traps are set.
        fn scripted(script: &str) -> Self {
            Self::running(&["sh", "-c", script], |child| {
                child.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).unwrap();
            })
        }

        #[allow(clippy::disallowed_methods, reason = "a stranger to this crate")]
        fn running(command: &[&str], wait_until_ready: fn(&mut Child)) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            drop(listener.accept().unwrap());
            let mut program = Command::new(command[0]);
            program.args(&command[1..]).stdin(OwnedFd::from(client)).stdout(Stdio::piped());
            let mut child = program.spawn().unwrap();
            wait_until_ready(&mut child);
            let socket = half_closed(&[port]).unwrap().remove(0);
            let owner = Owner { process: Procs::system().process(child.id()).unwrap(), fd: 0 };
            Self { child, owner, socket }
        }

        fn stop(&self) {
            let pid = Pid::from_child(&self.child);
            kill_process(pid, Signal::STOP).unwrap();
            waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).unwrap();
        }

        fn kill(&self) -> Result<(), Obstacle> {
            kill(&Procs::system(), &self.owner, &self.socket, GRACE)
        }

        fn signal(&mut self) -> Option<i32> {
            std::os::unix::process::ExitStatusExt::signal(&self.child.wait().unwrap())
        }

        fn is_alive(&mut self) -> bool {
            self.child.try_wait().unwrap().is_none()
        }
    }

    impl Drop for Victim {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn sigterm_is_enough_for_who_obeys() {
        let mut victim = Victim::new();
        assert_eq!(victim.kill(), Ok(()));
        assert_eq!(victim.signal(), Some(15));
    }

    #[test]
    fn who_ignores_it_or_is_stopped_gets_sigkill_after_the_grace() {
        let stopped = Victim::new();
        stopped.stop();
        let deaf = Victim::scripted("trap '' TERM; echo; while :; do sleep 0.01; done");
        for mut victim in [stopped, deaf] {
            let start = Instant::now();
            assert_eq!(victim.kill(), Ok(()));
            assert!(start.elapsed() >= GRACE);
            assert_eq!(victim.signal(), Some(9));
        }
    }

    #[test]
    fn who_closes_when_asked_lives_on() {
        let mut victim = Victim::scripted("trap 'exec </dev/null' TERM; echo; while :; do sleep 0.01; done");
        assert_eq!(victim.kill(), Err(Obstacle::Gone));
        assert!(victim.is_alive());
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_touched() {
        let mut victim = Victim::new();
        victim.owner.process.start_time -= 1;
        let zombie =
            Zombie { socket: victim.socket.clone(), owners: vec![victim.owner.clone()], confirmed: true };
        assert_eq!(victim.kill(), Err(Obstacle::Gone));
        assert_eq!(close(&Procs::system(), &zombie), Err(Obstacle::Gone));
        assert!(victim.is_alive());
    }

    #[test]
    fn another_socket_under_the_same_descriptor_is_not_touched() {
        let mut victim = Victim::new();
        let mut zombie =
            Zombie { socket: victim.socket.clone(), owners: vec![victim.owner.clone()], confirmed: true };
        zombie.socket.cookie = Some(1);
        assert_eq!(close(&Procs::system(), &zombie), Err(Obstacle::Gone), "by cookie");
        victim.socket.inode += 1;
        assert_eq!(victim.kill(), Err(Obstacle::Gone), "by inode");
        assert!(victim.is_alive());
    }

    #[test]
    fn a_vanished_process_is_gone() {
        let mut victim = Victim::new();
        victim.child.kill().unwrap();
        victim.child.wait().unwrap();
        assert_eq!(victim.kill(), Err(Obstacle::Gone));
    }
}

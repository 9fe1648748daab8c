//! Whether the listener on a port is the Gateway, or a program that passes connections on to it.

use std::fmt;

use serde::Serialize;

use crate::Error;
use crate::listen::{Listener, listener_with_owner};
use crate::process::Process;
use crate::sys::Procs;

/// Programs that listen to pass connections on, by the names of their processes.
const FORWARDERS: [&str; 26] = [
    // Containers.
    "docker-proxy",
    "com.docker.backend",
    "rootlesskit",
    "rootlessport",
    "slirp4netns",
    "pasta",
    "passt",
    "gvproxy",
    "kubectl",
    // By hand.
    "socat",
    "ssh",
    "sshd",
    "sshd-session",
    "ncat",
    "rinetd",
    "redir",
    "stunnel",
    "stunnel4",
    "systemd-socket-proxyd",
    "cloudflared",
    // Proxies.
    "haproxy",
    "nginx",
    "envoy",
    "traefik",
    "caddy",
    "toxiproxy-server",
];

/// The kernel keeps so much of a process's name.
const NAME_BYTES: usize = 15;

/// A program that listens on a port and passes connections on.
///
/// It accepts also while the Gateway behind it is down, and what a reset becomes behind it is its own affair: socat makes a FIN
/// of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Forwarder {
    /// The name of its process.
    pub command: String,
    /// The process.
    pub pid: u32,
}

impl fmt::Display for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.command, self.pid)
    }
}

/// The forwarder that listens on `port` of this machine, if it is one that is known. Some milliseconds.
///
/// # Behavior
/// A listener of another user, whose process can't be seen, is found by its name, its user and the port among its arguments.
///
/// # Errors
/// When the socket table can't be read, and for port 0.
pub fn forwarder(port: u16) -> Result<Option<Forwarder>, Error> {
    let Some(listener) = listener_with_owner(port)? else { return Ok(None) };
    Ok(of_listener(&listener))
}

/// The forwarder that a listener is.
pub(crate) fn of_listener(listener: &Listener) -> Option<Forwarder> {
    let process = match &listener.owner {
        Some(owner) => Some(owner.clone()).filter(is_forwarder),
        None => hidden(listener),
    };
    process.map(|process| Forwarder { command: process.command, pid: process.pid })
}

/// A forwarder whose descriptors can't be read, e.g. docker-proxy, which is root's.
fn hidden(listener: &Listener) -> Option<Process> {
    let procs = Procs::system();
    let processes = procs.all().unwrap_or_default().into_iter().filter_map(|pid| procs.process(pid).ok());
    let is_it = |process: &Process| {
        process.uid == listener.uid
            && is_forwarder(process)
            && names_port(&process.args, listener.local.port())
    };
    processes.into_iter().find(is_it)
}

fn is_forwarder(process: &Process) -> bool {
    let names = process.standing.names.iter().map(String::as_str).chain([process.command.as_str()]);
    names.into_iter().any(|name| {
        FORWARDERS.iter().any(|known| name == *known || (name.len() == NAME_BYTES && known.starts_with(name)))
    })
}

/// Whether an argument has the port as a number of its own: `-host-port 4002`, `TCP-LISTEN:4002,fork`, `4002:gw:4001`.
fn names_port(args: &[String], port: u16) -> bool {
    let port = port.to_string();
    args.iter().skip(1).any(|arg| arg.split(|c: char| !c.is_ascii_digit()).any(|number| number == port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn process(command: &str, names: &[&str]) -> Process {
        let mut process = Procs::system().process(std::process::id()).unwrap();
        process.command = command.to_owned();
        process.standing.names = names.iter().map(|name| (*name).to_owned()).collect();
        process
    }

    #[test]
    fn a_forwarder_is_known_by_its_name_and_a_gateway_is_none() {
        for name in ["socat", "docker-proxy", "ssh", "kubectl", "com.docker.back", "systemd-socket-"] {
            assert!(is_forwarder(&process(name, &[])), "{name}");
        }
        assert!(is_forwarder(&process("renamed", &["socat"])), "by its file");
        for name in ["java", "ibgateway", "tws", "python3", "socat2", "sock", "s", "", "docker-pro"] {
            assert!(!is_forwarder(&process(name, &["java"])), "{name}");
        }
    }

    #[test]
    fn a_port_among_the_arguments_is_a_number_of_its_own() {
        let args = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for line in [
            "docker-proxy -proto tcp -host-port 4002 -container-port 4004",
            "socat TCP-LISTEN:4002,fork TCP:127.0.0.1:4001",
            "ssh -NL 4002:gw:4001 me@gw",
            "kubectl port-forward pod/gw 4002:4004",
        ] {
            assert!(names_port(&args(line), 4002), "{line}");
        }
        for line in ["4002", "ssh -L 40021:gw:14002 me@gw", "socat -", "x"] {
            assert!(!names_port(&args(line), 4002), "{line}");
        }
    }

    #[test]
    fn this_process_is_none_and_nobody_neither() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(forwarder(port).unwrap(), None);
        drop(listener);
        assert_eq!(forwarder(port).unwrap(), None);
        assert!(matches!(forwarder(0), Err(Error::PortZero)));
    }

    #[test]
    fn all_processes_are_looked_through_for_a_hidden_one() {
        assert!(Procs::system().all().unwrap().contains(&std::process::id()));
    }
}

//! Who may be touched: a pure decision over what was found.
//!
//! Protection comes first and no list overrides it; after that nobody is touched who is not listed. Every owner of a
//! shared socket has to pass.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::judge::Proof;
use crate::process::{Owner, Process};
use crate::register::WorkerRecord;
use crate::scan::Zombie;
use crate::socket::ZombieClass;

/// What [`clean`](crate::clean) may do. The default looks and touches nothing.
#[derive(Debug, Clone)]
pub struct CleanupPolicy {
    /// Whether anything is done at all.
    pub run: Run,
    /// Live workers of ibkr-connect, from their [`Register`](crate::Register).
    pub workers: Vec<WorkerRecord>,
    /// More programs, by the exact name of their exe (or of the link to it they were started by).
    pub named: Vec<String>,
    /// Whether sockets may be destroyed in the kernel (`SOCK_DESTROY`, needs CAP_NET_ADMIN).
    pub destroy: Destroy,
    /// How long after SIGTERM a process gets SIGKILL.
    pub grace: Duration,
    /// What makes a half-closed socket a zombie.
    pub proof: Proof,
}

/// Whether [`clean`](crate::clean) acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Say what would be done.
    Dry,
    /// Do it.
    Act,
}

/// Which sockets may be destroyed in the kernel, by their exact addresses and cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroy {
    /// None.
    Never,
    /// Those of allowed processes on the client's side.
    ClientSide,
    /// Also those the Gateway has accepted and not closed. This clears the socket; whether the Gateway frees its slot
    /// shows only in the next handshake.
    BothSides,
}

impl Default for CleanupPolicy {
    fn default() -> Self {
        Self {
            run: Run::Dry,
            workers: Vec::new(),
            named: Vec::new(),
            destroy: Destroy::Never,
            grace: Duration::from_secs(3),
            proof: Proof::default(),
        }
    }
}

/// What the policy says of one zombie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Close it in its process; that failing destroy it where the policy says so; that failing end the process.
    CloseOrKill,
    /// It is ours: close it, and nothing else.
    Close,
    /// It is the Gateway's and the caller has opted in.
    Destroy,
    Leave(Reason),
}

/// Why a zombie was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its owner listens on the port: the Gateway, or what stands in front of it (socat, docker-proxy).
    ListensOnPort,
    /// Its owner is Java, TWS or the Gateway.
    Gateway,
    /// Its owner is process 1.
    Init,
    /// Its owner started this process, directly or not.
    Ancestor,
    /// Its owner leads this process's session or process group (the shell, the terminal).
    SessionLeader,
    /// Its owner lives in another pid or network namespace, or may not be looked at.
    OtherNamespace,
    /// Its owner is neither a registered worker nor named.
    NotListed,
    /// No owner can be seen.
    Unattributed {
        /// The user the socket belongs to.
        uid: u32,
    },
    /// It is the Gateway's to close.
    GatewayHeld,
    /// It waits in the Gateway's accept queue.
    GatewayUnaccepted,
    /// Nothing is done in a dry run; else it would have been closed.
    DryRun,
    /// It was gone, or had changed hands, before anything was done.
    Vanished,
    /// All that was allowed was tried.
    Failed {
        /// What went wrong.
        message: String,
    },
}

/// What the decision needs to know besides the zombie.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) me: Process,
    pub(crate) ancestors: Vec<u32>,
    /// Whoever has a descriptor of a listening socket on the port.
    pub(crate) listeners: Vec<u32>,
}

/// Decides about one proved zombie.
pub(crate) fn decide(zombie: &Zombie, around: &Surroundings, policy: &CleanupPolicy) -> Decision {
    match zombie.socket.class {
        ZombieClass::GatewayUnaccepted => return Decision::Leave(Reason::GatewayUnaccepted),
        ZombieClass::GatewayHeld => return decide_for_gateway(zombie, around, policy),
        ZombieClass::ClientHeld => {}
    }
    if zombie.owners.is_empty() {
        return Decision::Leave(Reason::Unattributed { uid: zombie.socket.uid });
    }
    let is_me = |owner: &Owner| owner.process.is(&around.me);
    let objection = zombie.owners.iter().filter(|owner| !is_me(owner)).find_map(|owner| {
        protection(&owner.process, around)
            .or_else(|| (!is_listed(&owner.process, policy)).then_some(Reason::NotListed))
    });
    match objection {
        Some(reason) => Decision::Leave(reason),
        None if zombie.owners.iter().any(is_me) => Decision::Close,
        None => Decision::CloseOrKill,
    }
}

/// A socket with the port on its own side may also be somebody's outgoing connection: it must be the listener's.
fn decide_for_gateway(zombie: &Zombie, around: &Surroundings, policy: &CleanupPolicy) -> Decision {
    let is_listeners = zombie.owners.iter().any(|owner| around.listeners.contains(&owner.process.pid));
    if policy.destroy == Destroy::BothSides && is_listeners {
        Decision::Destroy
    } else {
        Decision::Leave(Reason::GatewayHeld)
    }
}

/// What no list overrides. Role comes before name: a listener may be called anything.
fn protection(process: &Process, around: &Surroundings) -> Option<Reason> {
    let (standing, mine) = (&process.standing, &around.me.standing);
    if around.listeners.contains(&process.pid) {
        return Some(Reason::ListensOnPort);
    }
    if is_gateway(process) {
        return Some(Reason::Gateway);
    }
    if process.pid == 1 {
        return Some(Reason::Init);
    }
    if process.pid == around.me.pid || around.ancestors.contains(&process.pid) {
        return Some(Reason::Ancestor);
    }
    if process.pid == mine.session || process.pid == mine.group {
        return Some(Reason::SessionLeader);
    }
    // A namespace that can't be read is nobody's we know.
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    if !same(&standing.pid_namespace, &mine.pid_namespace)
        || !same(&standing.net_namespace, &mine.net_namespace)
    {
        return Some(Reason::OtherNamespace);
    }
    None
}

/// Java by its exe, its own name or its first argument; IB's programs by their classes too.
fn is_gateway(process: &Process) -> bool {
    const PROGRAMS: [&str; 5] = ["java", "ibgateway", "tws", "ibcontroller", "ibc"];
    const CLASSES: [&str; 4] =
        ["ibgateway.GWClient", "jclient.LoginFrame", "ibcalpha.ibc", "ibcontroller.IBController"];
    let file_name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let own_names = [
        process.exe.as_deref().and_then(file_name),
        Some(process.command.to_lowercase()),
        process.args.first().and_then(|arg| file_name(Path::new(arg))),
    ];
    // Java has many launchers (javaw, java-17, JavaAppli, JavaApplicationStub); the others go by their whole name.
    let named =
        own_names.iter().flatten().any(|name| name.starts_with("java") || PROGRAMS.contains(&name.as_str()));
    named || process.args.iter().any(|arg| CLASSES.iter().any(|class| arg.starts_with(class)))
}

fn is_listed(process: &Process, policy: &CleanupPolicy) -> bool {
    policy.workers.iter().any(|worker| worker.is(process))
        || policy.named.iter().any(|name| process.standing.names.contains(name))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ListensOnPort => "it listens on the port: the Gateway, or what stands in front of it",
            Self::Gateway => "it is Java, TWS or the Gateway: never touched, even when named",
            Self::Init => "it is process 1",
            Self::Ancestor => "it is a parent of this process",
            Self::SessionLeader => "it leads the session or process group of this process",
            Self::OtherNamespace => "it is in another pid or network namespace, or may not be looked at",
            Self::NotListed => "it is not a worker of ibkr-connect and was not named; name its exe to allow it",
            Self::Unattributed { uid } => {
                return write!(f, "unattributed, uid {uid}: no process that holds it can be seen from here");
            }
            Self::GatewayHeld => {
                "the Gateway has to close it; restart the Gateway, or opt in to destroying sockets on its side"
            }
            Self::GatewayUnaccepted => {
                "it waits in the Gateway's accept queue and only the Gateway can clear it: restart the Gateway"
            }
            Self::DryRun => "dry run: it would be closed",
            Self::Vanished => "it was gone or had changed hands before anything was done",
            Self::Failed { message } => return f.write_str(message),
        })
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;

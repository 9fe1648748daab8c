//! Where a process is: its machine, its network stack, its process ids.
//!
//! A state directory may be shared by more than one of each: a home on NFS, a volume of several containers. There
//! "localhost:4002" and "pid 4711" mean another thing for each of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// The first pid namespace of a Linux kernel, the only one that is not a container's.
const FIRST_PID_NAMESPACE: &str = "4026531836";
/// Where `ip netns` gives network namespaces a name.
const NAMED_NETWORKS: &str = "/run/netns";

/// Where a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The machine, or the container that has process ids of its own; the same after a reboot.
    pub machine: String,
    /// Its name, for people.
    pub host: String,
    /// The network namespace; empty for the ordinary one of the machine. The same after a reboot, but for a namespace
    /// that has no name.
    pub network: String,
    /// The pid namespace.
    pub pids: String,
}

impl Place {
    /// Where this process is.
    pub fn here() -> &'static Self {
        static HERE: OnceLock<Place> = OnceLock::new();
        HERE.get_or_init(Self::look)
    }

    fn look() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let pids = namespace("/proc/self/ns/pid");
        Self { machine: machine(machine_id(), &host, &pids), network: network(), host, pids }
    }

    /// The same for all processes for which a loopback address leads to the same port; short enough for a file name.
    pub fn loopback(&self) -> String {
        let digest = digest(&format!("{}\n{}", self.machine, self.network));
        digest[..8].to_owned()
    }
}

/// A short name for `text` that is the same in every process and version. It keeps no secret.
pub fn digest(text: &str) -> String {
    // FNV-1a, 64 bit.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The machine's identity. A container has that of its image, or none: its name tells it from others.
fn machine(id: Option<String>, host: &str, pids: &str) -> String {
    // The id itself is not for files that others may get to see (machine-id(5)).
    match id.map(|id| digest(&id)) {
        Some(id) if pids == FIRST_PID_NAMESPACE => id,
        Some(id) => format!("{id} {host}"),
        None => host.to_owned(),
    }
}

fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find_map(|path| {
        let id = fs::read_to_string(path).ok()?.trim().to_owned();
        (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
    })
}

/// The network namespace. Its inode is another one after a reboot, so it only names a namespace that has no other name.
fn network() -> String {
    let own = "/proc/thread-self/ns/net";
    if shares_network_of_first_process() != Some(false) {
        return String::new();
    }
    named_network(Path::new(NAMED_NETWORKS), own).unwrap_or_else(|| namespace(own))
}

/// Whether the first process has the same network namespace, where that can be seen. Its namespace link is closed to
/// others, but its socket tables are not, and every network namespace has files of its own.
fn shares_network_of_first_process() -> Option<bool> {
    let tables = |process: &str| fs::metadata(format!("/proc/{process}/net/dev")).map(|meta| meta.ino());
    Some(tables("1").ok()? == tables("thread-self").ok()?)
}

fn named_network(directory: &Path, own: &str) -> Option<String> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let own = identity(Path::new(own))?;
    let mut named = fs::read_dir(directory).ok()?.filter_map(Result::ok);
    named.find(|entry| identity(&entry.path()) == Some(own)).map(|entry| {
        let name = entry.file_name();
        format!("netns {}", name.to_string_lossy())
    })
}

/// The number in "net:[4026531840]"; empty where there is no such thing.
pub(crate) fn namespace(link: &str) -> String {
    let link = fs::read_link(link).unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3d1219c7c4c5404aaa1f6d2a48adfda4";

    #[test]
    fn a_machine_is_told_by_its_id_and_a_container_by_its_name_too() {
        let machine = |id: Option<&str>, host, pids| machine(id.map(str::to_owned), host, pids);
        let first = FIRST_PID_NAMESPACE;
        assert_eq!(machine(Some(ID), "a", first), machine(Some(ID), "renamed", first));
        assert_ne!(machine(Some(ID), "a", first), machine(Some(&ID.replace('3', "4")), "a", first));
        assert!(!machine(Some(ID), "a", first).contains(ID), "the id is not a file's business");
        assert_ne!(machine(Some(ID), "a", "1"), machine(Some(ID), "b", "1"), "two containers of one image");
        assert_eq!(machine(None, "pod-7", "1"), "pod-7");
    }

    #[test]
    fn another_machine_or_network_is_another_loopback_interface() {
        let here = Place { machine: "m".to_owned(), ..Place::default() };
        let renamed = Place { host: "new name".to_owned(), pids: "7".to_owned(), ..here.clone() };
        assert_eq!(here.loopback(), renamed.loopback(), "a pid namespace has no ports");
        assert_ne!(here.loopback(), Place { machine: "n".to_owned(), ..here.clone() }.loopback());
        assert_ne!(here.loopback(), Place { network: "netns vpn".to_owned(), ..here.clone() }.loopback());
        assert_eq!(here.loopback().len(), 8);
    }

    #[test]
    fn a_digest_is_the_same_for_ever() {
        assert_eq!(digest(""), "cbf29ce484222325");
        assert_eq!(digest("foobar"), "85944171f73967e8");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_somewhere() {
        let here = Place::here();
        assert!(!here.machine.is_empty() && !here.host.is_empty(), "{here:?}");
        assert!(here.pids.parse::<u64>().is_ok(), "{here:?}");
        assert_eq!(Place::look(), *here);
    }

    #[test]
    fn a_namespace_with_a_name_is_known_by_it() {
        let temp = tempfile::tempdir().unwrap();
        let own = temp.path().join("own");
        fs::write(&own, "").unwrap();
        let names = temp.path().join("netns");
        fs::create_dir(&names).unwrap();
        fs::write(names.join("other"), "").unwrap();
        assert_eq!(named_network(&names, own.to_str().unwrap()), None);
        // As the bind mounts of `ip netns`, a link leads to the same inode.
        fs::hard_link(&own, names.join("vpn")).unwrap();
        assert_eq!(named_network(&names, own.to_str().unwrap()), Some("netns vpn".to_owned()));
    }
}

//! Which Gateway state belongs to: one address and port, whatever it is called.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use ibkr_connect_core::{Target, backend};
use ibkr_connect_state::Place;

/// How a Gateway on this machine is called in names of files and to people.
const LOCAL: &str = "localhost";
/// A name that is not resolved by then keeps its name; a connect would fail at it too.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// A Gateway as state is kept for it.
///
/// # Behavior
/// - It is its address: 127.1, localhost, and the name of this machine are one. A name that can't be resolved stands for
///   itself.
/// - An address of this machine means another Gateway on another machine, or in another network namespace; see
///   [`Place`]. Any other address means the same for all.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// [`LOCAL`], an address in its usual form, or a name that was not resolved.
    host: String,
    port: u16,
    /// For a Gateway on this machine: [`Place::loopback`].
    place: String,
    /// What it was asked for by, if that is neither its host nor a loopback address.
    asked: Option<String>,
}

impl Gateway {
    /// The Gateway at `host:port`. Asks nobody: a name stands for itself.
    pub fn new(host: &str, port: u16) -> Self {
        let host = cleaned(host);
        match address(&host) {
            Some(address) => Self::at(&[address], host, port),
            None if is_loopback_name(&host) => Self::local(None, port, Place::here()),
            None => Self { host, port, place: String::new(), asked: None },
        }
    }

    /// The Gateway at `host:port`; a name is looked up. That may take two seconds, in which the thread is blocked.
    pub fn resolve(host: &str, port: u16) -> Self {
        let gateway = Self::new(host, port);
        if !gateway.is_name() {
            return gateway;
        }
        match look_up(gateway.host.clone(), port) {
            addresses if addresses.is_empty() => gateway,
            addresses => Self::at(&addresses, gateway.host, port),
        }
    }

    /// The Gateway of a target, as [`resolve`](Self::resolve).
    pub fn resolve_target(target: &Target) -> Self {
        Self::resolve(&target.host, target.port)
    }

    /// The same with its name looked up, if it has not been.
    pub(crate) fn resolved(self) -> Self {
        if self.is_name() { Self::resolve(&self.host, self.port) } else { self }
    }

    /// Its API port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it was asked for by a loopback address, so that the kernel can be asked about its port.
    pub fn is_local(&self) -> bool {
        self.host == LOCAL && self.asked.is_none()
    }

    /// Whether it is a name, which stands for itself or was not resolved.
    pub(crate) fn is_name(&self) -> bool {
        self.place.is_empty() && address(&self.host).is_none()
    }

    /// The Gateway with this [`file_stem`](Self::file_stem), or that of an older version; `None` if it is none, or on
    /// another machine or in another network namespace.
    pub(crate) fn from_file_stem(stem: &str) -> Option<Self> {
        let (name, port) = stem.rsplit_once('_')?;
        let port = port.parse().ok()?;
        let here = Self::local(None, port, Place::here());
        if stem == here.file_stem() || Some(stem) == here.older_file_stem().as_deref() {
            return Some(here);
        }
        let mut host = Vec::new();
        let mut bytes = name.bytes();
        while let Some(byte) = bytes.next() {
            host.push(match byte {
                b'%' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                byte => byte,
            });
        }
        let host = String::from_utf8(host).ok()?;
        let gateway = Self { host, port, place: String::new(), asked: None };
        (gateway.host != LOCAL && gateway.file_stem() == stem).then_some(gateway)
    }

    /// Whether a file stem is that of a Gateway on another machine or in another network namespace.
    pub(crate) fn is_elsewhere(stem: &str) -> bool {
        stem.starts_with("localhost@") && Self::from_file_stem(stem).is_none()
    }

    /// A file name of its own.
    pub(crate) fn file_stem(&self) -> String {
        let place = if self.place.is_empty() { String::new() } else { format!("@{}", self.place) };
        format!("{}{place}_{}", escaped(&self.host), self.port)
    }

    /// The file name that an older version gave it, if that is another one.
    pub(crate) fn older_file_stem(&self) -> Option<String> {
        (!self.place.is_empty()).then(|| format!("{LOCAL}_{}", self.port))
    }

    /// The file name of the name that it was asked for by, if that is a name: it stays when the address changes.
    pub(crate) fn name_file_stem(&self) -> Option<String> {
        let name = self.asked.as_deref().filter(|asked| address(asked).is_none())?;
        Some(format!("{}_{}", escaped(name), self.port))
    }

    fn local(asked: Option<String>, port: u16, place: &Place) -> Self {
        Self { host: LOCAL.to_owned(), port, place: place.loopback(), asked }
    }

    /// The Gateway that was asked for as `asked` and is at one of these addresses.
    fn at(addresses: &[IpAddr], asked: String, port: u16) -> Self {
        if addresses.iter().any(is_loopback) {
            return Self::local(None, port, Place::here());
        }
        if addresses.iter().any(|address| is_of_this_machine(*address)) {
            return Self::local(Some(asked), port, Place::here());
        }
        // A name with several addresses gives them in any order.
        let address = addresses.iter().min_by_key(|address| (address.is_ipv6(), **address));
        let host = address.map_or_else(|| asked.clone(), IpAddr::to_string);
        let asked = Some(asked).filter(|asked| *asked != host);
        Self { host, port, place: String::new(), asked }
    }

    /// The Gateway of a name at this address.
    #[cfg(test)]
    pub(crate) fn at_address(name: &str, address: &str, port: u16) -> Self {
        Self::at(&address.parse().into_iter().collect::<Vec<_>>(), name.to_owned(), port)
    }

    fn key(&self) -> (&str, u16, &str) {
        (&self.host, self.port, &self.place)
    }
}

impl PartialEq for Gateway {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Gateway {}

impl Hash for Gateway {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl From<&Target> for Gateway {
    /// As [`Gateway::new`].
    fn from(target: &Target) -> Self {
        Self::new(&target.host, target.port)
    }
}

/// As it was asked for; "localhost" for every loopback address.
impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.asked.as_deref().unwrap_or(&self.host);
        if host.contains(':') {
            write!(f, "[{host}]:{}", self.port)
        } else {
            write!(f, "{host}:{}", self.port)
        }
    }
}

fn cleaned(host: &str) -> String {
    let host = host.trim().trim_end_matches('.');
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.to_ascii_lowercase()
}

fn escaped(host: &str) -> String {
    use fmt::Write;
    let mut text = String::new();
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => text.push(char::from(byte)),
            // Writing to a string can't fail.
            other => drop(write!(text, "%{other:02x}")),
        }
    }
    text
}

/// The address that `host` says, in any of the forms that the system's resolver takes for one.
fn address(host: &str) -> Option<IpAddr> {
    let address = host.parse::<IpAddr>().ok().or_else(|| classic(host).map(IpAddr::V4))?;
    Some(address.to_canonical())
}

/// inet_aton(3): one to four numbers, the last of which fills what is left; decimal, 0x1f or 037.
fn classic(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(classic_number).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    let free = 4_usize.checked_sub(bytes.len()).filter(|free| *free > 0)?;
    let room = if free == 4 { u32::MAX } else { (1 << (8 * free)) - 1 };
    if *last > room || bytes.iter().any(|byte| *byte > 255) {
        return None;
    }
    let high = bytes.iter().fold(0_u64, |high, byte| (high << 8) | u64::from(*byte));
    let whole = (high << (8 * free)) | u64::from(*last);
    u32::try_from(whole).ok().map(Ipv4Addr::from)
}

fn classic_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // A sign is not a digit.
    if digits.starts_with('+') { None } else { u32::from_str_radix(digits, radix).ok() }
}

/// Names that mean the loopback interface everywhere (RFC 6761).
fn is_loopback_name(host: &str) -> bool {
    host == LOCAL || host.ends_with(".localhost")
}

/// Who connects to "any address" is connected to this machine.
fn is_loopback(address: &IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Whether `address` is one of this machine's: then it is also the address from which it would be reached. Nothing is sent.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let from = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip().to_canonical() == address)
}

/// The addresses of a name; none if they are not found in time. The resolver can't be interrupted, so it has a thread of
/// its own.
fn look_up(name: String, port: u16) -> Vec<IpAddr> {
    let (found, finds) = mpsc::channel();
    let asked = backend::spawn("ibkr-resolve", move || {
        let addresses = (name.as_str(), port).to_socket_addrs().into_iter().flatten();
        // Nobody may wait any more.
        let _ = found.send(addresses.map(|address| address.ip().to_canonical()).collect());
    });
    asked.ok().and_then(|()| finds.recv_timeout(RESOLVE_TIMEOUT).ok()).unwrap_or_default()
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    /// A name with these addresses.
    fn named(name: &str, addresses: &[&str]) -> Gateway {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Gateway::at(&addresses, name.to_owned(), 4002)
    }

    fn of_place(network: &str) -> Gateway {
        let place = Place { network: network.to_owned(), ..Place::default() };
        Gateway::local(None, 4002, &place)
    }

    #[test]
    fn every_name_of_the_loopback_interface_is_one_gateway() {
        let local = Gateway::new("localhost", 4002);
        for name in [
            "127.0.0.1",
            "LOCALHOST",
            "localhost.",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "127.1.2.3",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0x7f000001",
            "0.0.0.0",
            "0",
            "::",
            " 127.1 ",
            "a.localhost",
        ] {
            let gateway = Gateway::new(name, 4002);
            assert_eq!(gateway, local, "{name}");
            assert!(gateway.is_local(), "{name}");
            assert_eq!(gateway.to_string(), "localhost:4002");
        }
        assert_ne!(Gateway::new("localhost", 4001), local);
        for other in
            ["gw.example", "128.1", "256.256.256.256", "127.0.0.1.1", "+127.1", "0x", "127..1", "10.0.0.7"]
        {
            assert_ne!(Gateway::new(other, 4002), local, "{other}");
            assert!(!Gateway::new(other, 4002).is_local(), "{other}");
        }
    }

    #[test]
    fn a_name_is_its_address() {
        assert_eq!(named("gw.example", &["10.0.0.7"]), Gateway::new("10.0.0.7", 4002));
        assert_eq!(named("gw.example", &["10.0.0.7"]), named("ib", &["fe80::1", "10.0.0.9", "10.0.0.7"]));
        assert_eq!(named("gw.example", &["10.0.0.7"]).to_string(), "gw.example:4002");
        assert_eq!(Gateway::new("10.7", 4002), Gateway::new("10.0.0.7", 4002));
        assert_eq!(named("this-host", &["127.0.1.1"]), Gateway::new("localhost", 4002));
        assert_eq!(Gateway::new("gw.example", 4002).to_string(), "gw.example:4002");
    }

    #[test]
    fn the_resolver_is_asked_for_names_only() {
        assert_eq!(Gateway::resolve("127.1", 4002), Gateway::new("localhost", 4002));
        // RFC 6761: no such name, ever.
        let unknown = Gateway::resolve("gw.invalid", 4002);
        assert_eq!(
            (&unknown, unknown.file_stem().as_str()),
            (&Gateway::new("gw.invalid", 4002), "gw.invalid_4002")
        );
        assert!(unknown.is_name());
    }

    #[test]
    fn an_address_of_this_machine_is_this_machine_but_not_the_loopback_interface() {
        // The address from which others would be reached; without a network there is none.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let Ok(()) = socket.connect("192.0.2.1:9") else { return };
        let own = socket.local_addr().unwrap().ip();
        let gateway = Gateway::new(&own.to_string(), 4002);
        assert_eq!(gateway, Gateway::new("localhost", 4002));
        assert!(!gateway.is_local(), "whatever listens on that address, the kernel is not asked");
        assert_eq!(gateway.to_string(), format!("{own}:4002"));
        assert!(!is_of_this_machine("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn another_machine_or_network_namespace_has_another_localhost() {
        assert_eq!(of_place("a"), of_place("a"));
        assert_ne!(of_place("a"), of_place("b"));
        assert_ne!(of_place("a").file_stem(), of_place("b").file_stem());
        assert!(Gateway::is_elsewhere(&of_place("a").file_stem()));
        assert_eq!(Gateway::from_file_stem(&of_place("a").file_stem()), None);
        assert!(!Gateway::is_elsewhere(&Gateway::new("localhost", 4002).file_stem()));
        assert_eq!(Gateway::new("10.0.0.7", 4002).file_stem(), "10.0.0.7_4002", "the same for all machines");
    }

    #[test]
    fn a_file_stem_never_leaves_its_directory_nor_meets_another() {
        assert_eq!(Gateway::new("../../etc/x", 1).file_stem(), "..%2f..%2fetc%2fx_1");
        assert_eq!(Gateway::new("fe80::1%eth0", 2).file_stem(), "fe80%3a%3a1%25eth0_2");
        assert_eq!(Gateway::new("localhost@12345678", 2).file_stem(), "localhost%4012345678_2");
        assert_ne!(Gateway::new("a_1", 2).file_stem(), Gateway::new("a", 1).file_stem());
    }

    #[test]
    fn a_file_stem_leads_back_to_its_gateway() {
        for host in
            ["localhost", "gw.example", "10.0.0.7", "a_1", "../../etc/x", "fe80::1%eth0", "bücher.example"]
        {
            let gateway = Gateway::new(host, 4002);
            assert_eq!(Gateway::from_file_stem(&gateway.file_stem()), Some(gateway));
        }
        for stem in ["", "localhost", "a_x", "a_70000", "a%_1", "a%zz_1", "a%c3_1", "A_1", "a_01"] {
            assert_eq!(Gateway::from_file_stem(stem), None, "{stem}");
        }
    }

    #[test]
    fn names_of_older_versions_are_known() {
        let local = Gateway::new("localhost", 4002);
        assert_eq!(local.older_file_stem().as_deref(), Some("localhost_4002"));
        assert_eq!(Gateway::from_file_stem("localhost_4002"), Some(local.clone()));
        let named = named("gw.example", &["10.0.0.7"]);
        assert_eq!(
            (named.older_file_stem(), named.name_file_stem().as_deref()),
            (None, Some("gw.example_4002"))
        );
        assert_eq!((local.name_file_stem(), Gateway::new("10.7", 1).name_file_stem()), (None, None));
    }
}

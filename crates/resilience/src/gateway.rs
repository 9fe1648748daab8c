//! Which Gateway state belongs to: one host and port, whatever it is called.

use std::fmt;
use std::net::IpAddr;

use ibkr_connect_core::Target;

/// A Gateway as state is kept for it. All names of the loopback interface are the same Gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gateway {
    host: String,
    port: u16,
}

impl Gateway {
    /// The Gateway at `host:port`.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
        Self { host: if is_loopback(&host) { "localhost".to_owned() } else { host }, port }
    }

    /// Its API port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is on this machine, so that the kernel can be asked about its port.
    pub fn is_local(&self) -> bool {
        self.host == "localhost"
    }

    /// The Gateway with this [`file_stem`](Self::file_stem).
    pub(crate) fn from_file_stem(stem: &str) -> Option<Self> {
        let (name, port) = stem.rsplit_once('_')?;
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
        let gateway = Self { host: String::from_utf8(host).ok()?, port: port.parse().ok()? };
        (gateway.file_stem() == stem).then_some(gateway)
    }

    /// A file name of its own.
    pub(crate) fn file_stem(&self) -> String {
        use fmt::Write;
        let mut stem = String::new();
        for byte in self.host.bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => stem.push(char::from(byte)),
                // Writing to a string can't fail.
                other => drop(write!(stem, "%{other:02x}")),
            }
        }
        format!("{stem}_{}", self.port)
    }
}

impl From<&Target> for Gateway {
    fn from(target: &Target) -> Self {
        Self::new(&target.host, target.port)
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_loopback_interface_is_one_gateway() {
        let local = Gateway::new("localhost", 4002);
        for name in ["127.0.0.1", "LOCALHOST", "::1", "::ffff:127.0.0.1", "127.1.2.3"] {
            assert_eq!(Gateway::new(name, 4002), local, "{name}");
        }
        assert!(local.is_local());
        assert_ne!(Gateway::new("localhost", 4001), local);
        assert!(!Gateway::new("gw.example", 4002).is_local());
    }

    #[test]
    fn a_file_stem_never_leaves_its_directory_nor_meets_another() {
        assert_eq!(Gateway::new("../../etc/x", 1).file_stem(), "..%2f..%2fetc%2fx_1");
        assert_eq!(Gateway::new("fe80::1%eth0", 2).file_stem(), "fe80%3a%3a1%25eth0_2");
        assert_ne!(Gateway::new("a_1", 2).file_stem(), Gateway::new("a", 1).file_stem());
    }

    #[test]
    fn a_file_stem_leads_back_to_its_gateway() {
        for host in ["localhost", "gw.example", "a_1", "../../etc/x", "fe80::1%eth0", "bücher.example"] {
            let gateway = Gateway::new(host, 4002);
            assert_eq!(Gateway::from_file_stem(&gateway.file_stem()), Some(gateway));
        }
        for stem in ["", "localhost", "a_x", "a_70000", "a%_1", "a%zz_1", "a%c3_1", "A_1", "a_01"] {
            assert_eq!(Gateway::from_file_stem(stem), None, "{stem}");
        }
    }
}

//! The fallback where netlink is not to be had (seccomp, gVisor): /proc/net/tcp and tcp6. No cookies, no ages.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::socket::{Family, Row, TcpState};

/// All TCP sockets of this network namespace.
///
/// A kernel without IPv6 has no tcp6; only the first of the two has to exist.
pub(crate) fn rows(directory: &Path) -> io::Result<Vec<Row>> {
    let mut rows = parse(&fs::read_to_string(directory.join("tcp"))?, Family::V4);
    if let Ok(text) = fs::read_to_string(directory.join("tcp6")) {
        rows.extend(parse(&text, Family::V6));
    }
    Ok(rows)
}

fn parse(text: &str, family: Family) -> Vec<Row> {
    text.lines().skip(1).filter_map(|line| parse_line(line, family)).collect()
}

/// "sl local remote st tx:rx tr:when retrnsmt uid timeout inode ..."
fn parse_line(line: &str, family: Family) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let state = TcpState::from_kernel(u8::from_str_radix(fields.get(3)?, 16).ok()?);
    let (send, receive) = fields.get(4)?.split_once(':')?;
    let (send, receive) = (u32::from_str_radix(send, 16).ok()?, u32::from_str_radix(receive, 16).ok()?);
    Some(Row {
        family,
        local: address(fields.get(1)?, family)?,
        remote: address(fields.get(2)?, family)?,
        interface: 0,
        state,
        inode: fields.get(9)?.parse().ok()?,
        cookie: None,
        uid: fields.get(7)?.parse().ok()?,
        recv_queue: receive,
        send_queue: send,
        last_ack: None,
        bytes_acked: None,
        expires: None,
    })
}

/// "0100007F:0FA2": 32-bit words in the machine's byte order, the port in hex.
fn address(text: &str, family: Family) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<u32> = address
        .as_bytes()
        .chunks(8)
        .map(|word| u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    let ip = match (family, words.as_slice()) {
        (Family::V4, [word]) => IpAddr::V4(Ipv4Addr::from(word.to_ne_bytes())),
        (Family::V6, [a, b, c, d]) => {
            let bytes: Vec<u8> = [a, b, c, d].into_iter().flat_map(|word| word.to_ne_bytes()).collect();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const HEADER: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    #[test]
    fn a_line_of_each_family() {
        let v4 = "   0: 0100007F:8A2C 0100007F:0FA2 08 00000000:00000001 00:00000000 00000000  1000        0 12345 1 0 20 4 30 10 -1";
        let rows = parse(&format!("{HEADER}{v4}\n"), Family::V4);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].local, "127.0.0.1:35372".parse().unwrap());
        assert_eq!(rows[0].remote, "127.0.0.1:4002".parse().unwrap());
        assert_eq!(
            (rows[0].state, rows[0].inode, rows[0].uid, rows[0].recv_queue),
            (TcpState::CloseWait, 12345, 1000, 1)
        );
        let v6 = "   0: 0000000000000000FFFF00000100007F:0FA2 0000000000000000FFFF00000100007F:8A2C 05 00000002:00000000 03:00001000 00000000     0        0 0 2 x";
        let rows = parse(&format!("{HEADER}{v6}\n"), Family::V6);
        assert_eq!(rows[0].local, "127.0.0.1:4002".parse().unwrap(), "mapped addresses are unmapped");
        assert_eq!(rows[0].state, TcpState::FinWait);
        assert!(rows[0].is_ownerless());
    }

    #[test]
    fn garbage_is_skipped() {
        assert!(parse(&format!("{HEADER}not a line\n\n 1: zz:1 2 3\n"), Family::V4).is_empty());
    }

    #[test]
    fn a_missing_proc_is_an_error() {
        assert_eq!(rows(Path::new("/proc/no-such-net")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

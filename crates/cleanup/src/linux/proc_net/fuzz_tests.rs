use ibkr_connect_fuzz::Target;

use super::*;

#[test]
fn proc_net_tcp() {
    Target::local("proc_net_tcp", env!("CARGO_MANIFEST_DIR")).longest(1_024).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut words = String::new();
        for family in [Family::V4, Family::V6] {
            let rows = parse(&text, family);
            assert!(rows.len() < text.lines().count().max(1));
            let again = format!("the header\n{}", rows.iter().map(line).collect::<String>());
            assert_eq!(parse(&again, family), rows);
            words.push_str(&format!("{:?}", rows.iter().map(|row| row.state).collect::<Vec<_>>()));
        }
        words
    });
}

/// As the kernel would write it.
fn line(row: &Row) -> String {
    let state = match row.state {
        TcpState::Established => 1,
        TcpState::FinWait => 5,
        TcpState::CloseWait => 8,
        TcpState::Listen => 10,
        TcpState::Other => 2,
    };
    format!(
        " 0: {} {} {state:02X} {:08X}:{:08X} 00:00000000 00000000 {} 0 {} 1 0\n",
        written(row.local, row.family),
        written(row.remote, row.family),
        row.send_queue,
        row.recv_queue,
        row.uid,
        row.inode
    )
}

fn written(address: SocketAddr, family: Family) -> String {
    let bytes = match (family, address.ip()) {
        (Family::V4, IpAddr::V4(ip)) => ip.octets().to_vec(),
        (_, IpAddr::V4(ip)) => ip.to_ipv6_mapped().octets().to_vec(),
        (_, IpAddr::V6(ip)) => ip.octets().to_vec(),
    };
    let words: String =
        bytes.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
    format!("{words}:{:04X}", address.port())
}

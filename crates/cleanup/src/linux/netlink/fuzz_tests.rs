use ibkr_connect_fuzz::Target;

use super::*;

/// The sequence number of the corpus.
const SEQUENCE: u32 = 7;

#[test]
fn sock_diag() {
    Target::local("sock_diag", env!("CARGO_MANIFEST_DIR")).run(|datagram| {
        let (mut dump, mut rows) = (Dump::Whole, Vec::new());
        let read = read_datagram(datagram, SEQUENCE, &mut dump, &mut rows);
        // A message has a header of 16 bytes, a row another 72.
        assert!(rows.len() <= datagram.len() / 88, "{} rows of {} bytes", rows.len(), datagram.len());
        rows.iter().for_each(destroys_what_was_read);
        match read {
            Ok(read) => {
                format!("{read:?} {dump:?} {:?}", rows.iter().map(|row| row.state).collect::<Vec<_>>())
            }
            Err(error) => error.to_string(),
        }
    });
}

/// What is asked to be destroyed is the socket that was read, by its tuple and its cookie, in a message that says the same to
/// whoever reads it.
fn destroys_what_was_read(row: &Row) {
    let request = exact_request(row, row.cookie.unwrap());
    let mut bytes = vec![0; SockDiagMessage::InetRequest(request.clone()).buffer_len()];
    SockDiagMessage::InetRequest(request.clone()).serialize(&mut bytes);
    let id = request.socket_id;
    assert_eq!((id.source_address.to_canonical(), id.source_port), (row.local.ip(), row.local.port()));
    assert_eq!(
        (id.destination_address.to_canonical(), id.destination_port),
        (row.remote.ip(), row.remote.port())
    );
    assert_eq!(u64::from_ne_bytes(id.cookie), row.cookie.unwrap());
    assert_eq!(id.interface_id, row.interface);
    assert_eq!(id.source_address.is_ipv4(), row.family == Family::V4);
    // struct inet_diag_req_v2: the ports in the order of the network, at 8 and 10.
    assert_eq!(bytes[8..12], [row.local.port().to_be_bytes(), row.remote.port().to_be_bytes()].concat());
}

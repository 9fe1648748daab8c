use ibkr_connect_fuzz::Target;

use super::*;

/// What lsof and ps print.
#[test]
fn lsof() {
    Target::local("lsof", env!("CARGO_MANIFEST_DIR")).longest(1_024).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let files = parse_files(&text);
        assert!(files.len() <= text.lines().count());
        let again = parse_files(&files.iter().map(printed).collect::<String>());
        assert_eq!(format!("{again:?}"), format!("{files:?}"));
        let process = parse_process(501, &text, &text);
        if let Some(process) = &process {
            assert!(process.exe.as_ref().is_none_or(|exe| exe.ends_with(&process.command)));
        }
        let states: Vec<_> = files.iter().map(|file| file.row.state).collect();
        format!("{states:?} {}", process.is_some())
    });
}

fn printed(file: &OpenFile) -> String {
    let OpenFile { pid, fd, row } = file;
    let state = match row.state {
        TcpState::Established => "ESTABLISHED",
        TcpState::FinWait => "FIN_WAIT_2",
        TcpState::CloseWait => "CLOSE_WAIT",
        TcpState::Listen => "LISTEN",
        TcpState::Other => "SYN_SENT",
    };
    let family = if row.family == Family::V6 { "IPv6" } else { "IPv4" };
    format!(
        "p{pid}\nu{}\nf{fd}\nt{family}\nd0x{:x}\nn{}->{}\nTST={state}\nTQR={}\nTQS={}\n",
        row.uid, row.inode, row.local, row.remote, row.recv_queue, row.send_queue
    )
}

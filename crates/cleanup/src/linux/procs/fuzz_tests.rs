use ibkr_connect_fuzz::{Target, count};

use super::*;

/// Every file of a process that is read, each from the same bytes.
#[test]
fn proc_pid() {
    Target::local("proc_pid", env!("CARGO_MANIFEST_DIR")).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let arguments = arguments(bytes);
        if !bytes.is_empty() {
            let joined = arguments.join("\0");
            assert!(joined == text || format!("{joined}\0") == text, "{arguments:?}");
        }
        let uid = uid(bytes);
        assert!(uid == u32::MAX || text.contains("Uid:"));
        let inode = socket_inode(bytes);
        if let Some(inode) = inode {
            assert_eq!(socket_inode(format!("socket:[{inode}]").as_bytes()), Some(inode));
        }
        let stat = Stat::parse(bytes);
        if let Some(stat) = &stat {
            stands_in(stat, &text);
        }
        format!("{} {} {} {}", count(arguments.len()), uid != u32::MAX, inode.is_some(), stat.is_some())
    });
}

/// Nothing is read that is not written there, each at its own place.
fn stands_in(stat: &Stat, text: &str) {
    let (head, tail) = text.rsplit_once(')').unwrap();
    assert!(head.ends_with(&format!("({}", stat.command)));
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let number = |field: usize| fields[field - 3].parse::<u64>().unwrap();
    assert_eq!(
        [number(4), number(5), number(6), number(22)],
        [stat.parent.into(), stat.group.into(), stat.session.into(), stat.start_time]
    );
}

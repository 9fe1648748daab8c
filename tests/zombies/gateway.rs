//! Zombies on the Gateway's side: reported, its process never touched.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::holder::{Counts, Holder, clean, java, list, proved, python};
use crate::support::host::{Finished, User};

pub(crate) fn that_never_closes() {
    let mut gateway = Holder::start(java(&["keeps"]));
    let port = gateway.port();
    leave(port, 3);
    let user = User::new();
    let listed = proved(&user, port, 3);
    assert_eq!(
        (&listed["listening"]["state"], &listed["listening"]["pid"]),
        (&json!("listening"), &json!(gateway.pid()))
    );
    for zombie in listed["zombies"].as_array().unwrap() {
        assert_eq!((&zombie["class"], &zombie["command"]), (&json!("gateway_held"), &json!("java")));
        assert_eq!(
            (&zombie["pid"], &zombie["unread"]),
            (&json!(gateway.pid()), &json!(5)),
            "API, a zero and the FIN"
        );
        assert_eq!(zombie["local"], format!("127.0.0.1:{port}"));
    }

    clean(&user, port, &["--kill", "java", "--yes"]).assert_left_alone(3, "the Gateway has to close it");
    clean(&user, port, &["--kill", "java", "--destroy-sockets"]).assert_left_alone(3, "dry run");
    let cleaned = clean(&user, port, &["--kill", "java", "--destroy-sockets", "--yes"]);
    match cleaned.0["missing_rights"][0].as_str() {
        None => cleaned.assert_counts(Counts { found: 3, destroyed: 3, ..Counts::default() }),
        Some(right) => {
            assert!(right.contains("CAP_NET_ADMIN") || right.contains("CONFIG_INET_DIAG_DESTROY"), "{right}");
            cleaned.assert_left_alone(3, "destroy");
        }
    }
    gateway.assert_lives();
}

pub(crate) fn that_stopped_accepting() {
    let mut gateway = Holder::start(java(&["stuck"]));
    let port = gateway.port();
    leave(port, 4);
    let user = User::new();
    let listed = proved(&user, port, 4);
    let listening = json!({
        "state": "wedged", "pid": gateway.pid(), "command": "java", "queue": 4, "queue_limit": 50,
    });
    assert_eq!(listed["listening"], listening);
    for zombie in listed["zombies"].as_array().unwrap() {
        assert_eq!(zombie["class"], "gateway_unaccepted");
        for unknown in ["pid", "command", "fd"] {
            assert_eq!(zombie[unknown], Value::Null, "nobody has it: {zombie}");
        }
    }

    let cleaned = clean(&user, port, &["--kill", "java", "--destroy-sockets", "--yes"]);
    cleaned.assert_left_alone(4, "restart the Gateway");
    assert_eq!(list(&user, port).data()["listening"], listening);
    gateway.assert_lives();
    let shown = Finished::of(user.command(["zombies", "list", "--port", &port.to_string()]));
    for text in ["WEDGED", "nobody", "restart the Gateway", "4 of 50"] {
        assert!(shown.stdout.contains(text), "{text:?} is missing:\n{}", shown.stdout);
    }
}

/// It may be socat or a proxy: whoever listens is the Gateway, whatever its name.
pub(crate) fn that_is_no_java() {
    let mut gateway = Holder::start(python("listen.py", ["client"]));
    let user = User::new();
    proved(&user, gateway.port(), 1);
    let cleaned = clean(&user, gateway.port(), &["--kill", "python3", "--destroy-sockets", "--yes"]);
    cleaned.assert_left_alone(1, "it listens on the port");
    gateway.assert_lives();
}

/// Clients that say hello and leave with FIN.
fn leave(port: u16, count: usize) {
    for _ in 0..count {
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(b"API\0").unwrap();
    }
}

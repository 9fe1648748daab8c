//! `zombies list`: the shape of its JSON, and when it says "none".

use serde_json::{Value, json};

use ibkr_connect_sim::{SimOptions, Simulator};

use crate::holder::{ClosingGateway, list, proved};
use crate::support::backend::NobodyListens;
use crate::support::host::{Finished, Running, User};
use crate::support::json;

const KEYS: [&str; 5] = ["scope", "port", "listening", "zombies", "limits"];

/// The first nine are everybody's; the others are for who wants to know more.
const ZOMBIE_KEYS: [&str; 13] = [
    "class",
    "pid",
    "command",
    "fd",
    "local",
    "remote",
    "unread",
    "age_ms",
    "confirmed",
    "inode",
    "cookie",
    "uid",
    "owners",
];

pub(crate) fn nobody_listens() {
    let nobody = NobodyListens::new();
    let finished = list(&User::new(), nobody.port());
    let listening = json!({
        "state": "not_listening", "pid": null, "command": null, "queue": null, "queue_limit": null,
    });
    let expected = json!({ "scope": "this_machine", "port": nobody.port(), "listening": listening, "zombies": [], "limits": [] });
    assert_eq!((finished.code, finished.data()), (0, expected));
    assert!(finished.took.as_millis() < 900, "nothing is to be proved, so nothing to wait for: {finished:?}");
}

pub(crate) fn a_healthy_gateway() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let finished = list(&User::new(), gateway.port());
    let listed = finished.data();
    assert_eq!((finished.code, &listed["zombies"]), (0, &json!([])), "{listed}");
    let listening = &listed["listening"];
    assert_eq!(keys(listening), ["state", "pid", "command", "queue", "queue_limit"]);
    assert_eq!(listening["state"], "listening");
    assert_eq!(listening["pid"], std::process::id());
    assert_eq!((&listening["queue"], &listening["queue_limit"]), (&json!(0), &json!(128)));
    assert_eq!(gateway.stats().accepted, 0, "the port is not touched");
}

pub(crate) fn another_machine_is_said_to_be_one() {
    let nobody = NobodyListens::new();
    let port = nobody.port().to_string();
    let arguments = ["zombies", "list", "--json", "--host", "192.0.2.1", "--port", &port];
    let listed = Finished::of(User::new().command(arguments));
    let limits = listed.data()["limits"].take();
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(limits[0].as_str().unwrap().starts_with("192.0.2.1 is another machine"), "{limits}");
}

pub(crate) fn port_0_is_an_error() {
    for command in ["list", "clean"] {
        let finished = Finished::of(User::new().command(["zombies", command, "--port", "0"]));
        assert_eq!(finished.code, 2, "{finished:?}");
        assert!(finished.stderr.contains("port"), "{finished:?}");
    }
}

pub(crate) fn a_client_that_never_closes() {
    let gateway = ClosingGateway::new();
    let holder = gateway.client(2);
    let user = User::new();
    assert_eq!(list(&user, gateway.port()).data()["zombies"].as_array().unwrap().len(), 2, "at once");

    let listed = proved(&user, gateway.port(), 2);
    assert_eq!(keys(&listed), KEYS);
    for zombie in listed["zombies"].as_array().unwrap() {
        assert_eq!(keys(zombie), ZOMBIE_KEYS);
        assert_eq!(zombie["class"], "client_held");
        assert_eq!((&zombie["pid"], &zombie["command"]), (&json!(holder.pid()), &json!("python3")));
        assert_eq!(zombie["unread"], 1, "the FIN");
        assert_eq!(zombie["remote"], format!("127.0.0.1:{}", gateway.port()));
        assert!(zombie["local"].as_str().unwrap().starts_with("127.0.0.1:"), "{zombie}");
        assert!(
            zombie["fd"].as_i64().unwrap() > 2 && zombie["age_ms"].as_u64().unwrap() >= 5_000,
            "{zombie}"
        );
    }

    let shown = Finished::of(user.command(["zombies", "list", "--port", &gateway.port().to_string()]));
    assert_eq!(shown.code, 8);
    for text in ["client_held", &format!("{} python3", holder.pid()), "--kill", "listens"] {
        assert!(shown.stdout.contains(text), "{text:?} is missing:\n{}", shown.stdout);
    }
}

pub(crate) fn watching() {
    let gateway = ClosingGateway::new();
    let holder = gateway.client(1);
    let port = gateway.port().to_string();
    let user = User::new();
    let command = user.command(["zombies", "list", "--watch", "--json", "--port", &port]);
    let (mut watch, line) = Running::until_first_line(command);
    let first = json::line(&line)["data"].take();
    assert_eq!(first["zombies"][0]["pid"], holder.pid());
    assert_eq!(first["zombies"][0]["confirmed"], false, "one look proves nothing");
    assert_eq!(watch.0.try_wait().unwrap(), None, "it goes on");
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

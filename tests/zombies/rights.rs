//! What is not permitted: named, with the next thing that is, and never a wrong kill.

use std::io::BufRead;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use crate::holder::{Cleaned, ClosingGateway, Counts, Holder, PYTHON, copy, proved, python};
use crate::support::backend::COMMAND;
use crate::support::host::{Finished, User};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const NOBODY: u32 = 65_534;

pub(crate) fn without_pidfd_getfd_the_holder_has_to_go() {
    let gateway = ClosingGateway::new();
    let (mut obedient, mut stopped) = (gateway.client(2), gateway.client(1));
    stopped.stop();
    let user = User::new();
    proved(&user, gateway.port(), 3);
    let cleaned = Cleaned::of(restricted(&user, gateway.port()));
    cleaned.assert_counts(Counts { found: 3, killed: 3, ..Counts::default() });
    let rights = cleaned.0["missing_rights"].as_array().unwrap();
    assert!(rights.len() == 1 && rights[0].as_str().unwrap().contains("pidfd_getfd"), "{rights:?}");
    assert_eq!((obedient.killed_by(), stopped.killed_by()), (Some(SIGTERM), Some(SIGKILL)));
}

/// The first of two deaf holders uses up its grace; meanwhile the other one ends by itself.
pub(crate) fn a_holder_that_vanishes_is_nobody_elses() {
    let gateway = ClosingGateway::new();
    let port = gateway.port().to_string();
    let deaf = || gateway.client_of(python("hold.py", [port.as_str(), "1", "deaf"]), 1);
    let mut holders = [deaf(), deaf()];
    let user = User::new();
    proved(&user, gateway.port(), 2);

    let cleaner = restricted(&user, gateway.port());
    let cleaner = thread::spawn(move || Cleaned::of(cleaner));
    let (sender, asked) = mpsc::channel();
    for (index, holder) in holders.iter_mut().enumerate() {
        let (mut output, sender) = (holder.output(), sender.clone());
        thread::spawn(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            // The second to be asked, if any, is asked in vain: nobody listens any more.
            let _ = sender.send((index, line));
        });
    }
    let (first, line) = asked.recv().unwrap();
    assert_eq!(line, "asked\n");
    holders[1 - first].kill();

    let cleaned = cleaner.join().unwrap();
    cleaned.assert_counts(Counts { found: 2, killed: 1, skipped: 1, ..Counts::default() });
    assert_eq!(cleaned.0["killed"][0]["pid"], holders[first].pid());
    assert!(cleaned.0["skipped"][0]["reason"].as_str().unwrap().contains("it was gone"), "{cleaned:?}");
    assert_eq!(holders[first].killed_by(), Some(SIGKILL));
}

pub(crate) fn another_users_holder_is_out_of_reach() {
    let gateway = ClosingGateway::new();
    let mut holder = gateway.client(1);
    proved(&User::new(), gateway.port(), 1);

    let nobody = Nobody::new();
    let listed = Finished::of(nobody.zombies("list", gateway.port(), ["--json"]));
    let zombie = &listed.data()["zombies"][0];
    assert_eq!(listed.code, 8, "{listed:?}");
    assert_eq!((&zombie["pid"], &zombie["command"], &zombie["uid"]), (&Value::Null, &Value::Null, &json!(0)));
    let shown = Finished::of(nobody.zombies("list", gateway.port(), []));
    for text in ["unattributed, uid 0", "CAP_SYS_PTRACE"] {
        assert!(shown.stdout.contains(text), "{text:?} is missing:\n{}", shown.stdout);
    }

    let arguments = ["--json", "--yes", "--destroy-sockets", "--kill", "python3"];
    let cleaned = Cleaned::of(nobody.zombies("clean", gateway.port(), arguments));
    cleaned.assert_left_alone(1, "unattributed, uid 0");
    assert!(cleaned.0["limits"][0].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{cleaned:?}");
    holder.assert_lives();
}

pub(crate) fn a_users_own_holder_is_not() {
    let gateway = ClosingGateway::new();
    let mut program = python("hold.py", [gateway.port().to_string().as_str(), "1"]);
    program.current_dir("/").uid(NOBODY).gid(NOBODY);
    let mut holder = gateway.client_of(program, 1);
    let listed = proved(&User::new(), gateway.port(), 1);
    assert_eq!(listed["zombies"][0]["uid"], NOBODY);
    let nobody = Nobody::new();
    let cleaned =
        Cleaned::of(nobody.zombies("clean", gateway.port(), ["--json", "--yes", "--kill", "python3"]));
    cleaned.assert_closed(1, &mut holder);
}

pub(crate) fn destroying_sockets_is_for_root() {
    let mut program = python("listen.py", ["gateway"]);
    program.current_dir("/").uid(NOBODY).gid(NOBODY);
    let mut gateway = Holder::start(program);
    assert_eq!(proved(&User::new(), gateway.port(), 1)["zombies"][0]["class"], "gateway_held");
    let nobody = Nobody::new();
    let cleaned =
        Cleaned::of(nobody.zombies("clean", gateway.port(), ["--json", "--yes", "--destroy-sockets"]));
    cleaned.assert_left_alone(1, "CAP_NET_ADMIN");
    assert!(cleaned.0["missing_rights"][0].as_str().unwrap().contains("CAP_NET_ADMIN"), "{cleaned:?}");
    gateway.assert_lives();
}

/// A clean of python3's zombies that may not reach into other processes.
fn restricted(user: &User, port: u16) -> Command {
    let port = port.to_string();
    let clean = [COMMAND, "zombies", "clean", "--json", "--yes", "--kill", "python3", "--port", &port];
    let wrapper = python("without_pidfd_getfd.py", clean);
    let arguments = wrapper.get_args().map(|argument| argument.to_str().unwrap());
    user.program(PYTHON.as_ref(), arguments)
}

/// A user without rights.
struct Nobody {
    user: User,
    command: PathBuf,
}

impl Nobody {
    fn new() -> Self {
        let user = User::new();
        chown(user.home(), Some(NOBODY), Some(NOBODY)).unwrap();
        let command = copy(&user, COMMAND, "ibkr-connect");
        chown(&command, Some(NOBODY), Some(NOBODY)).unwrap();
        Self { user, command }
    }

    fn zombies<'a>(
        &self,
        command: &'a str,
        port: u16,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let port = port.to_string();
        let mut command = self.user.program(&self.command, ["zombies", command, "--port", &port]);
        command.args(arguments).uid(NOBODY).gid(NOBODY);
        command
    }
}

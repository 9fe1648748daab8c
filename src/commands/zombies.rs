//! `zombies list` and `zombies clean`: half-closed connections on the API port, found and removed without ever touching
//! the Gateway.

use std::thread;
use std::time::Duration;

use ibkr_connect::Config;
use ibkr_connect::cleanup::{
    self, CleanupPolicy, CleanupReport, Destroy, Done, Limit, ListenState, Proof, Register, Run, Scan, Watch,
    Zombie, ZombieClass,
};
use ibkr_connect::resilience::Gateway;
use serde_json::json;

use crate::cli::{ZombiesClean, ZombiesList};
use crate::exit::Failed;
use crate::output::{Format, Output, Verdict, optional, print_line, print_lines, table};

/// Zombies remain, or the Gateway accepts nobody.
const REMAIN: Failed = Failed(8);

/// Between two looks of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// `zombies list`
pub(crate) fn list(config: &Config, output: &Output, arguments: &ZombiesList) -> anyhow::Result<()> {
    if arguments.watch {
        return watch(config, output);
    }
    let listening = cleanup::inspect(config.port)?;
    let scan = with_limits(cleanup::scan(&[config.port])?, &listening, config);
    show(config, output, &listening, &scan)?;
    if is_fine(&listening, &scan) { Ok(()) } else { Err(REMAIN.into()) }
}

/// A stuck accept queue is as bad as what makes it.
fn is_fine(listening: &ListenState, scan: &Scan) -> bool {
    scan.zombies.is_empty() && !matches!(listening, ListenState::Wedged(_))
}

/// Looks again and again until it is interrupted.
fn watch(config: &Config, output: &Output) -> anyhow::Result<()> {
    let port = config.port;
    let mut watch = Watch::new(&[port], Proof::default())?;
    loop {
        let listening = cleanup::inspect(port)?;
        let scan = with_limits(watch.observe()?, &listening, config);
        show(config, output, &listening, &scan)?;
        thread::sleep(WATCH_INTERVAL);
    }
}

/// What a forwarder or another machine hides is one more limit of the answer.
fn with_limits(mut scan: Scan, listening: &ListenState, config: &Config) -> Scan {
    scan.limits.extend(listening.forwarder().map(|by| Limit::Forwarded { by }));
    scan.limits.extend(elsewhere(config));
    scan
}

/// The sockets of another machine can't be seen from this one.
fn elsewhere(config: &Config) -> Option<Limit> {
    let is_here = Gateway::resolve_target(&config.target()).is_local();
    (!is_here).then(|| Limit::Elsewhere { host: config.host.clone() })
}

fn show(config: &Config, output: &Output, listening: &ListenState, scan: &Scan) -> std::io::Result<()> {
    let (port, limits) = (config.port, &scan.limits);
    let all: Vec<&Zombie> = scan.zombies.iter().chain(&scan.candidates).collect();
    if output.is_json() {
        let report = json!({
            "scope": "this_machine",
            "port": port,
            "listening": listening,
            "zombies": all,
            "limits": limits,
        });
        let verdict = if is_fine(listening, scan) { Verdict::Fine } else { Verdict::Bad };
        return output.json_with(verdict, &report);
    }
    print_line(&format!("port {port}: {}", describe(listening)))?;
    if all.is_empty() {
        print_line("no half-closed connections on this machine; others can't be seen from here")?;
    } else {
        let header = ["class", "process", "fd", "local", "remote", "unread", "age", "confirmed"];
        print_lines(&table(&header, all.iter().map(|zombie| cells(zombie))).to_string())?;
        advise(scan)?;
    }
    limits.iter().try_for_each(|limit| print_line(&format!("note: {limit}")))
}

fn describe(listening: &ListenState) -> String {
    let Some(listener) = listening.listener() else { return "nobody listens".to_owned() };
    let owner = listener.owner.as_ref().map_or_else(
        || format!("a process of uid {}", listener.uid),
        |owner| format!("{} (pid {})", owner.command, owner.pid),
    );
    let queue = format!("{} of {} waiting to be accepted", listener.queue, optional(listener.queue_limit));
    match listening {
        ListenState::Wedged(_) => {
            format!("WEDGED, {owner} does not accept any more, {queue}: restart the Gateway")
        }
        _ => format!("{owner} listens, {queue}"),
    }
}

fn cells(zombie: &Zombie) -> Vec<String> {
    let socket = &zombie.socket;
    let owner = zombie.owners.first();
    let process = match owner {
        Some(owner) => format!("{} {}", owner.process.pid, owner.process.command),
        None if socket.class == ZombieClass::GatewayUnaccepted => "nobody".to_owned(),
        None => format!("unattributed, uid {}", socket.uid),
    };
    vec![
        json!(socket.class).as_str().unwrap_or_default().to_owned(),
        process,
        optional(owner.map(|owner| owner.fd)),
        socket.local.to_string(),
        socket.remote.to_string(),
        socket.unread.to_string(),
        optional(socket.age.map(|age| format!("{:.1} s", age.as_secs_f64()))),
        if zombie.confirmed { "yes" } else { "not yet" }.to_owned(),
    ]
}

fn advise(scan: &Scan) -> std::io::Result<()> {
    let has = |class| scan.zombies.iter().any(|zombie| zombie.socket.class == class);
    if has(ZombieClass::ClientHeld) {
        print_line(
            "client_held: `ibkr-connect zombies clean` closes those of our workers; name others with --kill",
        )?;
    }
    if has(ZombieClass::GatewayHeld) {
        print_line(
            "gateway_held: only the Gateway's process can close them; --destroy-sockets clears the sockets",
        )?;
    }
    if has(ZombieClass::GatewayUnaccepted) {
        print_line("gateway_unaccepted: the Gateway does not accept them; restart the Gateway")?;
    }
    Ok(())
}

/// `zombies clean`
pub(crate) fn clean(config: &Config, output: &Output, arguments: &ZombiesClean) -> anyhow::Result<()> {
    let workers =
        Register::open(&config.state_dir).and_then(|register| register.live()).unwrap_or_else(|error| {
            tracing::warn!(%error, "register_unreadable");
            Vec::new()
        });
    let policy = CleanupPolicy {
        run: if arguments.yes { Run::Act } else { Run::Dry },
        workers,
        named: arguments.kill.clone(),
        destroy: if arguments.destroy_sockets { Destroy::BothSides } else { Destroy::Never },
        ..CleanupPolicy::default()
    };
    let mut report = cleanup::clean(config.port, &policy)?;
    report.limits.extend(elsewhere(config));
    let verdict = if report.remaining.is_empty() { Verdict::Fine } else { Verdict::Bad };
    match output.format {
        Format::Json => output.json_with(verdict, &report)?,
        Format::Table => print_report(&report)?,
    }
    if report.remaining.is_empty() { Ok(()) } else { Err(REMAIN.into()) }
}

fn print_report(report: &CleanupReport) -> std::io::Result<()> {
    if report.found.is_empty() {
        print_line(&format!("port {}: no zombies", report.port))?;
        return print_limits(&report.limits);
    }
    print_line(&format!("port {}: {} found", report.port, report.found.len()))?;
    let dry = report.run == Run::Dry;
    let done = |verb: &str, done: &[Done]| {
        done.iter().try_for_each(|done| {
            let process = format!("{} {}", optional(done.pid), optional(done.command.as_ref()));
            print_line(&format!("  {verb}: {} -> {} of {process}", done.local, done.remote))
        })
    };
    done("closed", &report.closed)?;
    done("destroyed", &report.destroyed)?;
    done("killed", &report.killed)?;
    for skipped in &report.skipped {
        let process = format!("{} {}", optional(skipped.pid), optional(skipped.command.as_ref()));
        print_line(&format!(
            "  left alone: {} -> {} of {process}: {}",
            skipped.local, skipped.remote, skipped.reason
        ))?;
    }
    for right in &report.missing_rights {
        print_line(&format!("  note: {right}"))?;
    }
    print_limits(&report.limits)?;
    print_line(&match (dry, report.remaining.len()) {
        (true, _) => "nothing was done; --yes does it".to_owned(),
        (false, 0) => "none remain, verified".to_owned(),
        (false, left) => format!("{left} remain"),
    })
}

fn print_limits(limits: &[Limit]) -> std::io::Result<()> {
    limits.iter().try_for_each(|limit| print_line(&format!("  note: {limit}")))
}

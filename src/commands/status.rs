//! `status`: what this user's processes share about every Gateway. No port is touched.

use ibkr_connect::cleanup::{Register, WorkerRecord};
use ibkr_connect::resilience::{GatewayStatus, Holder, Policy, SLOTS, Slot};
use ibkr_connect::{Config, Error, ErrorKind};
use serde_json::{Value, json};

use super::breaker;
use crate::output::{Format, Output, optional, print_line, print_lines, table};

/// What the state directory says.
struct SharedState {
    gateways: Vec<GatewayStatus>,
    /// How many Gateways are those of other machines that share the directory.
    elsewhere: usize,
    workers: Vec<WorkerRecord>,
}

/// Reads the state directory.
pub(crate) fn run(config: &Config, output: &Output) -> anyhow::Result<()> {
    let policy = Policy::from(config);
    let shared = SharedState {
        gateways: GatewayStatus::all(&policy)?,
        elsewhere: GatewayStatus::count_elsewhere(&policy)?,
        workers: workers(config)?,
    };
    match output.format {
        Format::Json => output.json(&json!({
            "state_dir": config.state_dir,
            "gateways": shared.gateways.iter().map(gateway_json).collect::<Vec<_>>(),
            "elsewhere": shared.elsewhere,
            "workers": shared.workers.iter().map(worker_json).collect::<Vec<_>>(),
        }))?,
        Format::Table => show(config, &shared)?,
    }
    Ok(())
}

/// The workers of this user that live, by process id.
fn workers(config: &Config) -> Result<Vec<WorkerRecord>, Error> {
    let mut workers = Register::open(&config.state_dir)
        .and_then(|register| register.live())
        .map_err(|error| Error::new(ErrorKind::Config, error.to_string()).with_source(error))?;
    workers.sort_by_key(|worker| worker.pid);
    Ok(workers)
}

fn gateway_json(status: &GatewayStatus) -> Value {
    let used = status.clients.len();
    json!({
        "gateway": status.gateway.to_string(),
        "breaker": status.breaker,
        "handshake": status.handshake.as_ref().map(holder_json),
        "slots": { "used": used, "free": SLOTS.saturating_sub(used), "total": SLOTS },
        "clients": status.clients.iter().map(client_json).collect::<Vec<_>>(),
        "problems": status.problems,
    })
}

fn client_json(slot: &Slot) -> Value {
    json!({ "client_id": slot.client_id, "holder": slot.owner.as_ref().map(holder_json) })
}

fn holder_json(owner: &Holder) -> Value {
    json!({ "pid": owner.pid, "program": owner.program, "since": since(owner) })
}

fn worker_json(worker: &WorkerRecord) -> Value {
    json!({ "pid": worker.pid, "port": worker.port })
}

fn show(config: &Config, shared: &SharedState) -> std::io::Result<()> {
    let SharedState { gateways, elsewhere, workers } = shared;
    let state_dir = config.state_dir.display();
    if gateways.is_empty() {
        print_line(&format!("no Gateway is known in {state_dir}: nothing has connected to one yet"))?;
    } else {
        print_line(&format!("what {state_dir} says; no Gateway was asked"))?;
        let header = ["gateway", "circuit breaker", "shaking hands", "clients"];
        print_lines(&table(&header, gateways.iter().map(gateway_cells)).to_string())?;
    }
    for (status, problem) in
        gateways.iter().flat_map(|status| status.problems.iter().map(move |problem| (status, problem)))
    {
        print_line(&format!("{}: {problem}", status.gateway))?;
    }
    if *elsewhere > 0 {
        print_line(&format!("{elsewhere} more on other machines or in other network namespaces"))?;
    }
    let clients =
        || gateways.iter().flat_map(|status| status.clients.iter().map(|slot| client_cells(status, slot)));
    if clients().next().is_some() {
        let header = ["gateway", "client id", "held by", "since"];
        print_lines(&table(&header, clients()).to_string())?;
    }
    if workers.is_empty() {
        print_line("no workers")
    } else {
        let cells = workers.iter().map(|worker| vec![worker.pid.to_string(), worker.port.to_string()]);
        print_lines(&table(&["worker pid", "port"], cells).to_string())
    }
}

fn gateway_cells(status: &GatewayStatus) -> Vec<String> {
    let shaking = status.handshake.as_ref();
    vec![
        status.gateway.to_string(),
        breaker::describe(&status.breaker),
        optional(shaking.map(|owner| format!("{} since {}", name(owner), since(owner)))),
        format!("{} of {SLOTS}", status.clients.len()),
    ]
}

fn client_cells(status: &GatewayStatus, slot: &Slot) -> Vec<String> {
    vec![
        status.gateway.to_string(),
        slot.client_id.to_string(),
        optional(slot.owner.as_ref().map(name)),
        optional(slot.owner.as_ref().map(since)),
    ]
}

fn name(owner: &Holder) -> String {
    format!("{} {}", owner.pid, owner.program)
}

fn since(owner: &Holder) -> String {
    format!("{:.0}", owner.since.wall)
}

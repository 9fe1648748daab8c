//! Every field of every message with data, absent and odd in every way: the answer comes, the rest of it is as it was, what is absent
//! is null, and the real backends agree. It is made from the table of the wire's fields, so that a new field can't be forgotten.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod fields;

use std::collections::BTreeSet;

use ibkr_connect::{ConnectionMode, Request, Session, StreamRequest, session_over};
use serde_json::Value;

use crate::answers::{ANSWERS, Answer};
use crate::fields::{Odd, Path, message, paths};
use crate::support::backend::{Backend, target};
use crate::support::fake_gateway::played::PlayedGateway;
use crate::support::fake_gateway::wire::frame;
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::{PATIENCE, run_within};

/// ReqManagedAccts.
const ACCOUNTS: u32 = 17;

/// A test per message.
macro_rules! messages {
    ($( $name:ident: $index:expr; )+) => { $(
        #[test]
        fn $name() {
            run_within(6 * PATIENCE, check(stringify!($name), $index));
        }
    )+ };
}

messages! {
    bars: 17;
    bonds: 18;
    completed_orders: 101;
    contracts: 10;
    depth: 12;
    depth_exchanges: 80;
    depth_of_market_makers: 13;
    executions: 11;
    family_codes: 78;
    head_timestamp: 88;
    headlines: 86;
    histogram: 89;
    market_rule: 93;
    midpoint_ticks: 96;
    news_article: 83;
    news_providers: 85;
    open_orders: 5;
    option_chain: 75;
    option_computations: 21;
    positions: 61;
    positions_multi: 71;
    profit: 94;
    profit_of_one: 95;
    quoted_ticks: 97;
    quotes: 1;
    real_time_bars: 50;
    request_parameters: 81;
    scanner: 20;
    schedule: 106;
    sizes: 2;
    smart_components: 82;
    soft_dollar_tiers: 77;
    symbols: 79;
    texts: 46;
    ticks: 99;
    traded_ticks: 98;
    user_info: 107;
    values: 45;
}

/// Every message of the table is asked for by a test, or has a reason.
#[test]
fn no_message_is_forgotten() {
    let tested: BTreeSet<u32> = ANSWERS.iter().map(|answer| answer.message).collect();
    let reasons: BTreeSet<u32> = answers::ELSEWHERE.iter().map(|(id, _)| *id).collect();
    for (id, layout) in ibkr_connect_wire::messages::INCOMING {
        assert!(tested.contains(id) != reasons.contains(id), "{id} {}", layout.name);
    }
}

async fn check(name: &str, id: u32) {
    let answer = ANSWERS.iter().find(|answer| answer.message == id).unwrap_or_else(|| panic!("no {name}"));
    let mut seen = Vec::new();
    for mode in REAL_BACKENDS {
        seen.push(answers_of(answer, mode).await);
    }
    for (mode, others) in REAL_BACKENDS.iter().zip(&seen).skip(1) {
        for (first, other) in seen[0].iter().zip(others) {
            assert_eq!(first, other, "{} and {mode} differ", REAL_BACKENDS[0]);
        }
    }
}

/// What a backend makes of every odd message, by what is odd.
async fn answers_of(answer: &Answer, mode: ConnectionMode) -> Vec<(String, Value)> {
    let backend = Backend::new(mode);
    let (mut gateway, session) = connect(&backend).await;
    let whole =
        ask(&session, &mut gateway, answer, None).await.unwrap_or_else(|error| panic!("{mode}: {error}"));
    let control = numbers(&whole, fields::CONTROL);
    let mut seen = Vec::new();
    let paths = paths(answer.layout()).into_iter();
    for path in paths.filter(|path| !answers::is_odd_elsewhere(answer.message, path)) {
        // What is like nothing else can be found again.
        let telling = fields::usual(&path).filter(|_| fields::is_telling(&path));
        let place = telling.as_ref().and_then(|usual| find(&whole, usual, String::new()));
        if let Some(usual) = telling {
            let is_offered = place.is_some();
            assert!(
                is_offered != answers::is_not_offered(answer.message, &path),
                "{mode}: {path} is {usual:?} of {whole}"
            );
        }
        for odd in Odd::ALL {
            let what = format!("{mode}: {path} {odd:?}");
            let told = ask(&session, &mut gateway, answer, Some((&path, odd))).await;
            let told = told.unwrap_or_else(|error| panic!("{what}: {error}"));
            let left = numbers(&told, fields::CONTROL);
            assert!(
                control.is_subset(&left),
                "{what}: of the other row, {:?} is lost in {told}",
                control.difference(&left).collect::<Vec<_>>()
            );
            if odd.is_nothing()
                && let Some(place) = &place
            {
                let value = told.pointer(place).unwrap_or(&Value::Null);
                assert!(fields::says_nothing(&path, value), "{what}: {place} is {value} in {told}");
            }
            seen.push((format!("{path} {odd:?}"), told));
        }
    }
    session.close().await.unwrap();
    seen
}

/// A session, whose connect asks for the accounts again.
async fn connect(backend: &Backend) -> (PlayedGateway, Session) {
    let mut gateway = PlayedGateway::start();
    let target = target(gateway.port()).with_client_id(Some(7));
    let name_the_accounts = async {
        while let Some(received) = gateway.receive(PATIENCE).await {
            if received.message % 200 == ACCOUNTS {
                return gateway.send(&[frame!(15 { 1: "DU1" })], 0);
            }
        }
    };
    let (session, ()) = tokio::join!(session_over(&**backend, &target), name_the_accounts);
    (gateway, session.unwrap())
}

/// Asks once, and plays the Gateway's part: the odd message, and one beside it in which nothing is odd.
async fn ask(
    session: &Session,
    gateway: &mut PlayedGateway,
    answer: &Answer,
    odd: Option<(&Path, Odd)>,
) -> Result<Value, String> {
    let play = async {
        loop {
            let received = gateway.receive(PATIENCE).await.ok_or("the question did not come")?;
            if received.message % 200 == answer.asked {
                let id = fields::request_id(&received.body);
                let rows = [
                    message(answer.layout(), fields::ODD, odd),
                    message(answer.layout(), fields::CONTROL, None),
                ];
                gateway.send_bytes(&answer.bytes(id, &rows));
                return Ok::<(), String>(());
            }
        }
    };
    let asking = async {
        let params = answer.params;
        if let Some(request) =
            Request::from_json(answer.operation, params).map_err(|error| error.to_string())?
        {
            let reply = session.request(request).await.map_err(|error| error.to_string())?;
            return serde_json::to_value(reply).map_err(|error| error.to_string());
        }
        let request =
            StreamRequest::from_json(answer.operation, params).map_err(|error| error.to_string())?;
        let request = request.ok_or_else(|| format!("there is no {}", answer.operation))?;
        let mut stream = session.subscribe(request).await.map_err(|error| error.to_string())?;
        let mut events = Vec::new();
        while events.len() < answer.events {
            let event =
                tokio::time::timeout(PATIENCE, stream.next()).await.map_err(|_| "an event did not come")?;
            let event = event.ok_or("the stream has ended")?.map_err(|error| error.to_string())?;
            events.push(serde_json::to_value(event).map_err(|error| error.to_string())?);
        }
        Ok(Value::Array(events))
    };
    let ((), told) = tokio::try_join!(play, asking)?;
    Ok(told)
}

/// The numbers of a reply that are those of this row.
fn numbers(value: &Value, row: u32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(value, &mut |value| {
        let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        if number.is_some_and(|number| fields::is_of_row(number, row)) {
            found.insert(value.to_string());
        }
    });
    found
}

fn visit(value: &Value, see: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| visit(value, see)),
        Value::Object(fields) => fields.values().for_each(|value| visit(value, see)),
        leaf => see(leaf),
    }
}

/// Where a value stands.
fn find(value: &Value, wanted: &Value, place: String) -> Option<String> {
    match value {
        Value::Array(values) => values
            .iter()
            .enumerate()
            .find_map(|(index, value)| find(value, wanted, format!("{place}/{index}"))),
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| find(value, wanted, format!("{place}/{name}")))
        }
        leaf => fields::is_same(leaf, wanted).then_some(place),
    }
}

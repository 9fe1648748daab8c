//! Nothing is kept of a call: each operation hundreds of times, in each way in which it can end without an answer, and what the thread
//! that has caller and connection, ibapi included, has allocated more afterwards. What answered calls leave is measured at the
//! simulator, in both modes: tests/rows/growth.rs of the command.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use ibkr_connect_core::{
    Connector, ErrorKind, OPERATIONS, OperationInfo, Request, Session, StreamRequest, Target,
};
use ibkr_connect_direct::HostedConnector;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

/// Calls of which the growth is measured, and of those before it that fill what is filled once.
const CALLS: usize = 100;
const BEFORE: usize = 100;

/// How much all of them may leave: eighty bytes of each.
const BOUND: i64 = 8 * 1024;

/// How much all operations together may leave: fifteen bytes of each call.
const BOUND_OF_ALL: i64 = 256 * 1024;

/// How often it may be tried: what is kept is kept each time, what a map has grown by is not.
const TRIES: usize = 4;

/// A deadline that nothing meets.
const SHORT: Duration = Duration::from_millis(1);

/// How long ibapi and the relay get for what comes after a call.
const AFTERWARDS: Duration = Duration::from_millis(10);

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The Gateway refuses it.
    Refused,
    /// Nobody answers in time.
    TimedOut,
    /// The caller leaves.
    Abandoned,
}

impl Way {
    fn of_the_gateway(self) -> u8 {
        if self == Self::Refused { REFUSES } else { SILENT }
    }
}

const SILENT: u8 = 0;
const REFUSES: u8 = 1;

#[test]
#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn no_operation_keeps_anything_of_a_call() {
    let gateway = Gateway::start();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let session = runtime.block_on(gateway.session());
    let (mut worst, mut kept) = ((i64::MIN, "", Way::Refused), Vec::new());
    // What is filled once, such as the rings in which ibapi keeps what was said last, is full after that.
    each(|operation, params, way| {
        gateway.does(way.of_the_gateway());
        runtime.block_on(many(&session, operation.command, params, way, BEFORE));
    });
    // A map grows in jumps, which no single measurement has to meet.
    let all = allocation_counter::measure(|| {
        each(|operation, params, way| {
            gateway.does(way.of_the_gateway());
            let growth = growth(&runtime, &session, operation.command, params, way);
            if growth > worst.0 {
                worst = (growth, operation.command, way);
            }
            if growth >= BOUND {
                let command = operation.command;
                kept.push(format!("{CALLS} calls of {command} that are {way:?} leave {growth} bytes"));
            }
        });
    });
    assert!(kept.is_empty(), "{kept:#?}");
    assert!(all.bytes_current < BOUND_OF_ALL, "all of them leave {} bytes", all.bytes_current);
    println!("the worst leaves {worst:?} bytes after {CALLS} calls, all together {}", all.bytes_current);
    runtime.block_on(session.close()).unwrap();
}

/// Each operation with its parameters, in each way in which it can end.
fn each(mut call: impl FnMut(&OperationInfo, &'static str, Way)) {
    let params = parameters();
    for operation in OPERATIONS {
        let params = params.get(operation.command).copied().unwrap_or("{}");
        for way in [Way::Refused, Way::TimedOut, Way::Abandoned] {
            // A stream that is open has no deadline.
            if !(operation.stream && way == Way::TimedOut) {
                call(operation, params, way);
            }
        }
    }
}

fn growth(
    runtime: &Runtime,
    session: &Session,
    command: &'static str,
    params: &'static str,
    way: Way,
) -> i64 {
    let mut least = i64::MAX;
    for _ in 0..TRIES {
        let left = allocation_counter::measure(|| {
            runtime.block_on(many(session, command, params, way, CALLS));
        });
        least = least.min(left.bytes_current);
        if least < BOUND {
            break;
        }
    }
    least
}

/// Asks so often, some at a time, and waits until what comes after them has been done.
async fn many(session: &Session, command: &'static str, params: &'static str, way: Way, calls: usize) {
    const AT_A_TIME: usize = 50;
    for _ in 0..calls / AT_A_TIME {
        let mut asking = JoinSet::new();
        for _ in 0..AT_A_TIME {
            asking.spawn(once(session.clone(), command, params, way));
        }
        asking.join_all().await;
    }
    sleep(AFTERWARDS).await;
}

async fn once(session: Session, command: &'static str, params: &'static str, way: Way) {
    if let Some(request) =
        Request::from_json(command, params).unwrap_or_else(|error| panic!("{command}: {error}"))
    {
        let hasty = session.with_timeout(SHORT);
        let outcome = match way {
            // Those without an id are refused to nobody in particular, and time out.
            Way::Refused => session.with_timeout(20 * SHORT).request(request).await,
            Way::TimedOut => hasty.request(request).await,
            Way::Abandoned => return leave(session.request(request)).await,
        };
        let allowed = [ErrorKind::Timeout, ErrorKind::GatewayError, ErrorKind::Busy];
        // What needs no Gateway, such as the next order id, is answered.
        assert!(
            outcome.as_ref().err().is_none_or(|error| allowed.contains(&error.kind())),
            "{command}: {outcome:?}"
        );
        return;
    }
    let request = StreamRequest::from_json(command, params).unwrap().expect("a request or a stream");
    let mut stream = session.subscribe(request).await.unwrap();
    if way == Way::Refused {
        let _ = timeout(5 * SHORT, stream.next()).await;
    }
    // Unread.
    drop(stream);
}

/// Begins a call and drops it when it has been asked.
async fn leave<T>(call: impl Future<Output = T>) {
    let mut call = pin!(call);
    let some_turns = async {
        for _ in 0..8 {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = &mut call => {}
        () = some_turns => {}
    }
}

/// A Gateway on a thread of its own, whose allocations do not count.
struct Gateway {
    port: u16,
    does: Arc<AtomicU8>,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let does = Arc::new(AtomicU8::new(SILENT));
        let as_told = Arc::clone(&does);
        thread::spawn(move || serve(listener.accept().unwrap().0, &as_told));
        Self { port, does }
    }

    fn does(&self, what: u8) {
        self.does.store(what, Ordering::SeqCst);
    }

    async fn session(&self) -> Session {
        let target = Target::default().with_port(self.port).with_client_id(Some(7));
        Session::new(HostedConnector.connect(&target).await.unwrap())
    }
}

/// Shakes hands, then refuses what comes or says nothing, until the client has left.
fn serve(mut client: TcpStream, does: &AtomicU8) -> io::Result<()> {
    let mut hello = [0; 4];
    client.read_exact(&mut hello)?;
    message(&mut client)?;
    client.write_all(&prefixed(b"226\x0020260713 17:53:51 CET\0"))?;
    message(&mut client)?;
    client.write_all(&frame(15, b"\x0a\x09DU7654321"))?;
    client.write_all(&frame(9, b"\x08\x01"))?;
    loop {
        let received = message(&mut client)?;
        let (id, body) = received.split_at(4);
        let id = u32::from_be_bytes(id.try_into().unwrap()) - 200;
        // The accounts prove that it is alive.
        if id == 17 {
            client.write_all(&frame(15, b"\x0a\x09DU7654321"))?;
        } else if does.load(Ordering::SeqCst) == REFUSES && !body.is_empty() {
            // The id of the request, as it stands there; what has none begins with another field.
            let request = if body[0] == 8 { request_id(body) } else { Vec::new() };
            let error = [request.as_slice(), b"\x18\xc8\x01\x22\x04none"].concat();
            client.write_all(&frame(4, &error))?;
        }
    }
}

/// The field 1, a varint, with its key.
fn request_id(body: &[u8]) -> Vec<u8> {
    let end = body.iter().skip(1).position(|byte| byte & 0x80 == 0).map_or(body.len(), |at| at + 2);
    body[..end].to_vec()
}

fn message(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    client.read_exact(&mut message)?;
    Ok(message)
}

fn frame(id: u32, body: &[u8]) -> Vec<u8> {
    prefixed(&[&(id + 200).to_be_bytes(), body].concat())
}

fn prefixed(payload: &[u8]) -> Vec<u8> {
    [&u32::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
}

/// Where an operation needs any.
fn parameters() -> BTreeMap<&'static str, &'static str> {
    const CONTRACT: &str =
        r#"{"contract":{"symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"}}"#;
    const OPTION: &str = r#"{"contract":{"symbol":"AAPL","sec_type":"OPT","last_trade_date_or_contract_month":"20261218",
        "strike":200.0,"right":"C","exchange":"SMART","currency":"USD"},"volatility":0.25,"under_price":231.5}"#;
    const PRICED: &str = r#"{"contract":{"symbol":"AAPL","sec_type":"OPT","last_trade_date_or_contract_month":"20261218",
        "strike":200.0,"right":"C","exchange":"SMART","currency":"USD"},"option_price":12.5,"under_price":231.5}"#;
    let of_contracts = [
        "historical_bars",
        "historical_ticks",
        "historical_schedule",
        "head_timestamp",
        "histogram",
        "quote_snapshot",
        "market_data",
        "tick_by_tick",
        "real_time_bars",
        "historical_bar_updates",
        "market_depth",
    ];
    let others = [
        ("contract_details", r#"{"symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"}"#),
        ("account_updates_snapshot", r#"{"account":"DU7654321"}"#),
        ("account_updates", r#"{"account":"DU7654321"}"#),
        ("account_updates_multi", r#"{"account":"DU7654321"}"#),
        ("positions_multi", r#"{"account":"DU7654321"}"#),
        ("pnl", r#"{"account":"DU7654321"}"#),
        ("pnl_single", r#"{"account":"DU7654321","con_id":8314}"#),
        ("matching_symbols", r#"{"pattern":"A"}"#),
        ("market_rule", r#"{"market_rule_id":26}"#),
        (
            "option_chain",
            r#"{"underlying_symbol":"AAPL","underlying_sec_type":"STK","underlying_con_id":265598}"#,
        ),
        ("calculate_option_price", OPTION),
        ("calculate_implied_volatility", PRICED),
        ("smart_components", r#"{"bbo_exchange":"9c0001"}"#),
        ("advisor_config", r#"{"data_type":"ALIASES"}"#),
        ("display_group_events", r#"{"group_id":4}"#),
        ("news_article", r#"{"provider_code":"BRFG","article_id":"BRFG$1"}"#),
        ("historical_news", r#"{"con_id":8314,"provider_codes":["BRFG"]}"#),
        ("contract_news", r#"{"contract":{"symbol":"AAPL","sec_type":"STK"},"provider_codes":["BRFG"]}"#),
        ("broad_tape_news", r#"{"provider_code":"BRFG"}"#),
        ("scanner", r#"{"instrument":"STK","location_code":"STK.US.MAJOR","scan_code":"TOP_PERC_GAIN"}"#),
        ("wsh_events", r#"{"con_id":265598}"#),
    ];
    of_contracts.map(|command| (command, CONTRACT)).into_iter().chain(others).collect()
}

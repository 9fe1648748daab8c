//! A stream as its consumer sees it.

use ibkr_connect_core::types::{
    Bar, BarTime, Contract, HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams, MarketDataEvent,
    MarketDataParams, PriceAttributes, TickType,
};
use ibkr_connect_core::{EventSender, FlowControl, event_channel};

use super::*;

const ID: StreamId = StreamId(7);

fn event(value: i32) -> Event {
    Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
}

fn quote(price: f64) -> Event {
    let price = Some(price);
    let attributes = PriceAttributes::default();
    Event::MarketData(MarketDataEvent::Price { tick_type: TickType::BID, price, size: None, attributes })
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "as planned")
}

/// The other ends of a stream.
struct Supervisor {
    updates: Option<mpsc::UnboundedSender<StreamUpdate>>,
    signals: mpsc::UnboundedReceiver<(StreamId, Signal)>,
    openings: u64,
}

impl Supervisor {
    /// Opens the stream once more, in this session.
    fn opens(&mut self, generation: u64, gap: Option<(i64, i64)>) -> EventSender {
        let (sender, events) = event_channel(FlowControl::Conflate, || {});
        self.openings += 1;
        let gap = gap.map(|(from, to)| (time(from), time(to)));
        let opening = OpeningId(self.openings);
        self.tells(StreamUpdate::Opened { opening, events, generation, gap }).unwrap();
        sender
    }

    fn tells(&self, update: StreamUpdate) -> Result<(), StreamUpdate> {
        self.updates.as_ref().unwrap().send(update).map_err(|refused| refused.0)
    }

    fn hears(&mut self) -> Vec<Signal> {
        std::iter::from_fn(|| self.signals.try_recv().ok())
            .map(|(id, signal)| {
                assert_eq!(id, ID);
                signal
            })
            .collect()
    }
}

fn stream_of(request: &StreamRequest) -> (Supervisor, SupervisedStream) {
    let (updates, receiver) = mpsc::unbounded_channel();
    let (signals, heard) = mpsc::unbounded_channel();
    let stream = SupervisedStream::new(ID, request, receiver, signals, Ok);
    (Supervisor { updates: Some(updates), signals: heard, openings: 0 }, stream)
}

fn quotes() -> (Supervisor, SupervisedStream) {
    stream_of(&StreamRequest::MarketData(MarketDataParams::streaming(Contract::stock("AAPL"))))
}

fn poll(stream: &mut SupervisedStream) -> Poll<Option<Result<StreamItem>>> {
    pollster::block_on(poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_next(context))))
}

#[track_caller]
fn next(stream: &mut SupervisedStream) -> Option<Result<StreamItem>> {
    match poll(stream) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("nothing is ready"),
    }
}

#[track_caller]
fn item(stream: &mut SupervisedStream) -> StreamItem {
    next(stream).unwrap().unwrap()
}

#[test]
fn what_was_received_comes_before_the_gap_and_the_rest_after_it() {
    let (mut supervisor, mut stream) = quotes();
    let first = supervisor.opens(1, None);
    pollster::block_on(stream.opened()).unwrap().unwrap();
    assert_eq!(stream.generation(), 1);
    first.send_all([event(1), quote(2.0), quote(3.0)]);
    first.finish(Err(error(ErrorKind::Disconnected)));
    let second = supervisor.opens(2, Some((1, 2)));
    second.send(event(9));
    assert_eq!(item(&mut stream), StreamItem::Data(event(1)));
    assert_eq!(item(&mut stream), StreamItem::Data(quote(3.0)));
    assert_eq!(supervisor.hears(), [Signal::Taken(OpeningId(1))]);
    assert_eq!(item(&mut stream), StreamItem::Gap { from: time(1), to: time(2) });
    assert_eq!((stream.merged(), stream.generation()), (1, 2));
    assert_eq!(item(&mut stream), StreamItem::Data(event(9)));
    assert_eq!(supervisor.hears(), [Signal::ReadToEnd(OpeningId(1)), Signal::Taken(OpeningId(2))]);
}

#[test]
fn no_error_of_a_subscription_ends_the_stream_before_the_supervisor_says_so() {
    for kind in
        [ErrorKind::GatewayError, ErrorKind::Timeout, ErrorKind::SlowConsumer, ErrorKind::Disconnected]
    {
        let (mut supervisor, mut stream) = quotes();
        supervisor.opens(1, None).finish(Err(error(kind)));
        assert!(poll(&mut stream).is_pending(), "{kind}");
        assert!(supervisor.hears().contains(&Signal::ReadToEnd(OpeningId(1))));
        supervisor.tells(StreamUpdate::Ended(Err(error(ErrorKind::GatewayError)))).unwrap();
        assert_eq!(next(&mut stream).unwrap().unwrap_err().kind(), ErrorKind::GatewayError);
        assert!(next(&mut stream).is_none());
    }
}

#[test]
fn a_subscription_without_an_end_is_left_for_the_next_one() {
    let (mut supervisor, mut stream) = quotes();
    let old = supervisor.opens(1, None);
    old.send(event(1));
    assert_eq!(item(&mut stream), StreamItem::Data(event(1)));
    supervisor.opens(1, Some((1, 2)));
    assert!(matches!(item(&mut stream), StreamItem::Gap { .. }));
    assert!(old.is_abandoned(), "cancelled at the Gateway");
}

#[test]
fn a_complete_snapshot_is_complete_also_if_the_supervisor_has_just_ended() {
    let snapshot = StreamRequest::MarketData(MarketDataParams::snapshot(Contract::stock("AAPL")));
    let (mut supervisor, mut stream) = stream_of(&snapshot);
    let events = supervisor.opens(1, None);
    events.send(event(1));
    events.finish(Ok(()));
    supervisor.updates = None;
    assert_eq!(item(&mut stream), StreamItem::Data(event(1)));
    assert!(next(&mut stream).is_none());
    assert!(next(&mut stream).is_none());
}

#[test]
fn a_stream_that_has_no_end_of_its_own_is_not_complete() {
    let (mut supervisor, mut stream) = quotes();
    supervisor.opens(1, None).finish(Ok(()));
    assert!(poll(&mut stream).is_pending());
    supervisor.updates = None;
    assert_eq!(next(&mut stream).unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(next(&mut stream).is_none());
}

#[test]
fn the_supervisor_hears_of_a_dropped_stream_when_it_can_see_it() {
    let (mut supervisor, stream) = quotes();
    drop(stream);
    assert_eq!(supervisor.hears(), [Signal::Dropped]);
    assert!(supervisor.updates.as_ref().unwrap().is_closed());
}

#[test]
fn an_event_of_another_operation_ends_a_typed_stream() {
    let (updates, receiver) = mpsc::unbounded_channel();
    let (signals, mut heard) = mpsc::unbounded_channel();
    let request = StreamRequest::MarketData(MarketDataParams::streaming(Contract::stock("AAPL")));
    let mut stream = SupervisedStream::<i32>::new(ID, &request, receiver, signals, |event| match event {
        Event::MarketData(MarketDataEvent::MarketDataType { market_data_type }) => Ok(market_data_type),
        other => Err(Error::new(ErrorKind::Internal, format!("{other:?}"))),
    });
    let (sender, events) = event_channel(FlowControl::default(), || {});
    let opened = StreamUpdate::Opened { opening: OpeningId(1), events, generation: 1, gap: None };
    updates.send(opened).unwrap();
    sender.send_all([event(7), quote(1.0), event(8)]);
    assert_eq!(pollster::block_on(stream.next()).unwrap().unwrap(), StreamItem::Data(7));
    assert_eq!(pollster::block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Internal);
    assert!(pollster::block_on(stream.next()).is_none(), "what follows can't be trusted");
    assert!(sender.is_abandoned(), "it is cancelled at the Gateway");
    assert_eq!(heard.try_recv().unwrap(), (ID, Signal::Taken(OpeningId(1))));
    assert_eq!(heard.try_recv().unwrap(), (ID, Signal::Dropped));
}

#[test]
fn a_history_is_given_once() {
    let (mut supervisor, mut stream) =
        stream_of(&StreamRequest::HistoricalBarUpdates(HistoricalBarUpdatesParams::default()));
    let bar = |begin| {
        let time = Some(BarTime::Time(time(begin)));
        ibkr_connect_core::literal!(Bar {
            time,
            open: None,
            high: None,
            low: None,
            close: None,
            volume: None,
            wap: None,
            count: None
        })
    };
    let history = |begins: &[i64]| {
        let bars = begins.iter().map(|begin| bar(*begin)).collect();
        Event::HistoricalBarUpdates(HistoricalBarUpdatesEvent::History { bars })
    };
    supervisor.opens(1, None).send(history(&[0, 60]));
    assert_eq!(item(&mut stream), StreamItem::Data(history(&[0, 60])));
    supervisor.opens(2, Some((1, 2))).send(history(&[0, 60, 120]));
    assert!(matches!(item(&mut stream), StreamItem::Gap { .. }));
    assert_eq!(item(&mut stream), StreamItem::Data(history(&[120])));
}

//! Streams that outlive sessions.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use ibkr_connect_core::{Error, ErrorKind, Event, EventStream, FlowControl, Result, StreamRequest};
use ibkr_connect_state::Moment;
use jiff::Timestamp;
use tokio::sync::mpsc;

/// What a [`SupervisedStream`] gives.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamItem {
    /// An event of the Gateway's.
    Data(Event),
    /// The stream was interrupted and goes on. Events between these times may be missing; none is repeated.
    Gap {
        /// When the Gateway was last known to serve the stream: its last answer to a ping, or the last time the stream was
        /// opened. Events of later times may have come before the gap.
        from: Timestamp,
        /// When the stream was opened anew.
        to: Timestamp,
    },
}

/// A stream of events that goes on in the next session when one is lost. Dropping it cancels it at the Gateway.
///
/// # Behavior
/// - What was received before a loss is given first, then one [`StreamItem::Gap`], then what follows.
/// - While there is no session it waits; [`states`](super::Supervisor::states) says why.
/// - It ends when the Gateway ends it, e.g. a complete snapshot; with the Gateway's error, if it refuses the stream, also
///   anew; and with `closed` when the supervisor is closed or gives up.
#[derive(Debug)]
pub struct SupervisedStream {
    events: Option<EventStream>,
    switches: Option<mpsc::UnboundedReceiver<Switch>>,
    merged: u64,
    generation: u64,
}

/// What the supervisor tells a stream.
#[derive(Debug)]
pub(crate) enum Switch {
    Resumed { events: EventStream, from: Timestamp, to: Timestamp, generation: u64 },
    Refused(Error),
}

/// The supervisor's end of a stream.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) request: StreamRequest,
    pub(crate) flow: FlowControl,
    pub(crate) switches: mpsc::UnboundedSender<Switch>,
    /// Which opening of streams it has taken part in.
    pub(crate) epoch: u64,
    /// When it was last opened.
    pub(crate) since: Moment,
    /// Since when it has been interrupted.
    pub(crate) dark_since: Option<Moment>,
}

impl SupervisedStream {
    pub(crate) fn new(
        events: EventStream,
        switches: mpsc::UnboundedReceiver<Switch>,
        generation: u64,
    ) -> Self {
        Self { events: Some(events), switches: Some(switches), merged: 0, generation }
    }

    /// The next item; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Result<StreamItem>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// How many events gave way so far to newer values, see [`EventStream::merged`].
    pub fn merged(&self) -> u64 {
        self.merged + self.events.as_ref().map_or(0, EventStream::merged)
    }

    /// The number of the session that the last item came from.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn poll_switch(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<StreamItem>>> {
        let Some(switches) = &mut self.switches else { return Poll::Ready(None) };
        let Poll::Ready(switch) = switches.poll_recv(context) else { return Poll::Pending };
        match switch {
            Some(Switch::Resumed { events, from, to, generation }) => {
                self.leave_session();
                self.events = Some(events);
                self.generation = generation;
                Poll::Ready(Some(Ok(StreamItem::Gap { from, to })))
            }
            Some(Switch::Refused(error)) => self.end(Some(Err(error))),
            None => {
                self.end(Some(Err(Error::new(ErrorKind::Closed, "the supervisor of this stream has ended"))))
            }
        }
    }

    fn end(&mut self, last: Option<Result<StreamItem>>) -> Poll<Option<Result<StreamItem>>> {
        self.leave_session();
        self.switches = None;
        Poll::Ready(last)
    }

    fn leave_session(&mut self) {
        self.merged = self.merged();
        self.events = None;
    }
}

impl Stream for SupervisedStream {
    type Item = Result<StreamItem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(events) = &mut self.events {
            match Pin::new(events).poll_next(context) {
                Poll::Ready(Some(Ok(event))) => return Poll::Ready(Some(Ok(StreamItem::Data(event)))),
                Poll::Ready(Some(Err(error))) if is_loss(&error) => self.leave_session(),
                Poll::Ready(Some(Err(error))) => return self.end(Some(Err(error))),
                Poll::Ready(None) => return self.end(None),
                Poll::Pending => {}
            }
        }
        self.poll_switch(context)
    }
}

impl Registration {
    /// Whether the consumer has dropped the stream, or its end was read.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.switches.is_closed()
    }

    /// Notes an interruption; one that was not reported yet began earlier.
    pub(crate) fn interrupted(&mut self, dark_since: Option<Moment>) {
        let began = dark_since.filter(|began| *began > self.since).unwrap_or(self.since);
        self.dark_since.get_or_insert(began);
    }
}

/// Whether the error says that the session is gone, and nothing about the stream.
pub(crate) fn is_loss(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::WorkerCrashed | ErrorKind::Closed)
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::types::{MarketDataEvent, MarketDataParams, TickType};
    use ibkr_connect_core::{EventSender, event_channel};

    use super::*;

    fn event(value: i32) -> Event {
        Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
    }

    fn quote(price: f64) -> Event {
        let price = Some(price);
        Event::MarketData(MarketDataEvent::Price { tick_type: TickType::BID, price, size: None })
    }

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    struct Source {
        sender: EventSender,
        switches: mpsc::UnboundedSender<Switch>,
    }

    fn stream() -> (Source, SupervisedStream) {
        let (sender, events) = event_channel(FlowControl::Conflate, || {});
        let (switches, receiver) = mpsc::unbounded_channel();
        (Source { sender, switches }, SupervisedStream::new(events, receiver, 1))
    }

    fn resume(source: &mut Source, generation: u64) {
        let (sender, events) = event_channel(FlowControl::Conflate, || {});
        let (from, to) = (time(1), time(2));
        source.switches.send(Switch::Resumed { events, from, to, generation }).unwrap();
        source.sender = sender;
    }

    #[track_caller]
    fn next(stream: &mut SupervisedStream) -> Option<Result<StreamItem>> {
        let next =
            pollster::block_on(poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_next(context))));
        match next {
            Poll::Ready(item) => item,
            Poll::Pending => panic!("nothing is ready"),
        }
    }

    #[test]
    fn what_was_received_comes_before_the_gap_and_the_rest_after_it() {
        let (mut source, mut stream) = stream();
        source.sender.send_all([event(1), quote(2.0), quote(3.0)]);
        source.sender.finish(Err(Error::new(ErrorKind::Disconnected, "lost")));
        resume(&mut source, 2);
        source.sender.send(event(9));
        assert_eq!(next(&mut stream).unwrap().unwrap(), StreamItem::Data(event(1)));
        assert_eq!(next(&mut stream).unwrap().unwrap(), StreamItem::Data(quote(3.0)));
        assert_eq!(next(&mut stream).unwrap().unwrap(), StreamItem::Gap { from: time(1), to: time(2) });
        assert_eq!((stream.merged(), stream.generation()), (1, 2));
        assert_eq!(next(&mut stream).unwrap().unwrap(), StreamItem::Data(event(9)));
    }

    #[test]
    fn a_void_subscription_is_replaced_although_it_has_not_ended() {
        let (mut source, mut stream) = stream();
        source.sender.send(event(1));
        let old = std::mem::replace(&mut source.sender, event_channel(FlowControl::default(), || {}).0);
        resume(&mut source, 1);
        assert_eq!(next(&mut stream).unwrap().unwrap(), StreamItem::Data(event(1)));
        assert!(matches!(next(&mut stream).unwrap().unwrap(), StreamItem::Gap { .. }));
        assert!(old.is_abandoned(), "cancelled at the Gateway");
    }

    #[test]
    fn the_gateways_own_end_is_the_end() {
        let (source, mut stream) = stream();
        source.sender.finish(Ok(()));
        assert!(next(&mut stream).is_none());
        assert!(source.switches.is_closed(), "nobody resumes it");
        assert!(next(&mut stream).is_none());
    }

    #[test]
    fn errors_of_the_stream_and_of_the_supervisor_end_it() {
        let (source, mut refused) = stream();
        source.sender.finish(Err(Error::new(ErrorKind::GatewayError, "no permission")));
        assert_eq!(next(&mut refused).unwrap().unwrap_err().kind(), ErrorKind::GatewayError);
        assert!(next(&mut refused).is_none());

        let (source, mut refused_anew) = stream();
        let error = Error::new(ErrorKind::GatewayError, "no permission any more");
        source.switches.send(Switch::Refused(error)).unwrap();
        assert_eq!(next(&mut refused_anew).unwrap().unwrap_err().kind(), ErrorKind::GatewayError);
        assert!(next(&mut refused_anew).is_none());

        let (Source { sender, switches }, mut closed) = stream();
        drop(switches);
        sender.finish(Err(Error::new(ErrorKind::Closed, "closed")));
        assert_eq!(next(&mut closed).unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(next(&mut closed).is_none());
    }

    #[test]
    fn a_gap_begins_where_the_first_unreported_interruption_did() {
        let at = Moment::from_millis;
        let (switches, _receiver) = mpsc::unbounded_channel();
        let request = StreamRequest::MarketData(MarketDataParams::default());
        let mut registration = Registration {
            request,
            flow: FlowControl::default(),
            switches,
            epoch: 1,
            since: at(50),
            dark_since: None,
        };
        registration.interrupted(Some(at(20)));
        assert_eq!(registration.dark_since, Some(at(50)), "it was opened after the session's last answer");
        registration.interrupted(Some(at(90)));
        assert_eq!(registration.dark_since, Some(at(50)));
    }
}

//! How the session stands: what the Gateway has said to nobody in particular, and what it is a reason for. Pure: notices and time in.

use std::collections::BTreeMap;

use ibkr_connect_core::types::{Connectivity, FarmKind, FarmStatus, Notice};
use ibkr_connect_core::{Request, StreamRequest};
use tokio::time::Instant;

use crate::wiretap::{GatewayMessage, LATE_HISTORY};
use ibkr_connect_wire::ids::CHATTER;

/// "Unable to subscribe to account as the following clients are subscribed to a different account".
const ACCOUNT_TAKEN: i32 = 2101;

/// "Paper trading disclaimer must first be accepted for API connection".
const DISCLAIMER: i32 = 10141;

/// "Connectivity between Trader Workstation and server is broken. It will be restored automatically."
const BROKEN: i32 = 2110;

/// How many farms that are down are known by name: IBKR has a few dozen.
const MOST_FARMS: usize = 64;

/// What an operation is about, as far as there are notices for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    AccountUpdates,
    History,
    MarketData,
    Contracts,
    Other,
}

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The Gateway has lost IBKR.
    unlinked: Option<GatewayMessage>,
    /// Data farms that are not connected, by kind and name.
    farms: BTreeMap<(Topic, String), GatewayMessage>,
    disclaimer: Option<GatewayMessage>,
    account_taken: Option<(Instant, GatewayMessage)>,
    late_history: Option<(Instant, GatewayMessage)>,
    /// The last error that was about no request in particular.
    complaint: Option<(Instant, GatewayMessage)>,
}

/// What the session has to do with a request that got no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reasons {
    /// The Gateway has lost IBKR, and not found it again.
    pub(crate) unlinked: Option<GatewayMessage>,
    /// What else it has said that fits.
    pub(crate) fitting: Option<GatewayMessage>,
    /// An error that names no request: it may be about one that has no id.
    pub(crate) complaint: Option<GatewayMessage>,
}

impl Topic {
    pub(crate) fn of_request(request: &Request) -> Self {
        match request {
            Request::AccountUpdatesSnapshot(_) => Self::AccountUpdates,
            Request::HistoricalBars(_)
            | Request::HistoricalTicks(_)
            | Request::HistoricalSchedule(_)
            | Request::HeadTimestamp(_)
            | Request::Histogram(_) => Self::History,
            Request::QuoteSnapshot(_)
            | Request::CalculateOptionPrice(_)
            | Request::CalculateImpliedVolatility(_) => Self::MarketData,
            Request::ContractDetails(_)
            | Request::MatchingSymbols(_)
            | Request::OptionChain(_)
            | Request::MarketRule(_) => Self::Contracts,
            _ => Self::Other,
        }
    }

    pub(crate) fn of_stream(request: &StreamRequest) -> Self {
        match request {
            StreamRequest::AccountUpdates(_) => Self::AccountUpdates,
            StreamRequest::HistoricalBarUpdates(_) => Self::History,
            StreamRequest::MarketData(_)
            | StreamRequest::TickByTick(_)
            | StreamRequest::RealTimeBars(_)
            | StreamRequest::MarketDepth(_) => Self::MarketData,
            _ => Self::Other,
        }
    }

    fn of_farm(kind: FarmKind) -> Self {
        match kind {
            FarmKind::MarketData => Self::MarketData,
            FarmKind::Historical => Self::History,
            FarmKind::SecurityDefinitions => Self::Contracts,
        }
    }
}

impl Standing {
    /// The Gateway says this.
    pub(crate) fn hear(&mut self, now: Instant, notice: &Notice) {
        let word = || GatewayMessage::new(notice.code, &notice.message);
        match notice.code {
            ACCOUNT_TAKEN => self.account_taken = Some((now, word())),
            LATE_HISTORY => self.late_history = Some((now, word())),
            DISCLAIMER => self.disclaimer = Some(word()),
            _ => match notice.connectivity() {
                Some(Connectivity::Lost {} | Connectivity::Broken {}) => self.unlinked = Some(word()),
                Some(Connectivity::Restored { .. }) => self.unlinked = None,
                Some(Connectivity::DataFarm { kind, name, status }) => {
                    self.hear_of_farm((Topic::of_farm(kind), name), status, word());
                }
                None if notice.code >= 0 && !CHATTER.contains(&notice.code) => {
                    self.complaint = Some((now, word()));
                }
                _ => {}
            },
        }
    }

    fn hear_of_farm(&mut self, farm: (Topic, String), status: FarmStatus, word: GatewayMessage) {
        if status == FarmStatus::Disconnected {
            if self.farms.len() < MOST_FARMS || self.farms.contains_key(&farm) {
                self.farms.insert(farm, word);
            }
            return;
        }
        self.farms.remove(&farm);
        // 2110, unlike 1100, has no message that ends it.
        if status == FarmStatus::Connected {
            self.unlinked.take_if(|word| word.code == BROKEN);
        }
    }

    /// Why an operation about `topic` that was asked at `since` may have got no answer.
    pub(crate) fn reasons(&self, topic: Topic, since: Instant) -> Reasons {
        let fresh = |said: &Option<(Instant, GatewayMessage)>| {
            said.as_ref().filter(|(at, _)| *at >= since).map(|(_, word)| word.clone())
        };
        let of_topic = match topic {
            Topic::AccountUpdates => fresh(&self.account_taken),
            Topic::History => fresh(&self.late_history),
            _ => None,
        };
        let farm = || self.farms.iter().find(|((of, _), _)| *of == topic).map(|(_, word)| word.clone());
        Reasons {
            unlinked: self.unlinked.clone(),
            fitting: of_topic.or_else(farm).or_else(|| self.disclaimer.clone()),
            complaint: fresh(&self.complaint),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ibkr_connect_core::OPERATIONS;
    use ibkr_connect_core::types::{HistoricalBarsParams, MarketDataParams};

    use super::*;

    /// Says things, one a second.
    struct Session {
        standing: Standing,
        begun: Instant,
        said: u32,
    }

    impl Session {
        fn new() -> Self {
            Self { standing: Standing::default(), begun: Instant::now(), said: 0 }
        }

        fn say(&mut self, code: i32, message: &str) {
            self.said += 1;
            let notice =
                ibkr_connect_core::literal!(Notice { code, message: message.to_owned(), time: None });
            self.standing.hear(self.begun + Duration::from_secs(1) * self.said, &notice);
        }

        /// The code of what fits, for a request asked before anything was said, or after everything.
        fn fits(&self, topic: Topic, after: u32) -> Option<i32> {
            let since = self.begun + Duration::from_secs(1) * after;
            self.standing.reasons(topic, since).fitting.map(|word| word.code)
        }

        fn unlinked(&self) -> Option<i32> {
            self.standing.reasons(Topic::Other, self.begun).unlinked.map(|word| word.code)
        }
    }

    const TOPICS: [Topic; 5] =
        [Topic::AccountUpdates, Topic::History, Topic::MarketData, Topic::Contracts, Topic::Other];

    #[test]
    fn farms_without_end_are_not_all_known() {
        let mut session = Session::new();
        (0..1_000)
            .for_each(|farm| session.say(2103, &format!("Market data farm connection is broken:{farm}")));
        assert_eq!(session.standing.farms.len(), MOST_FARMS);
        session.say(2103, "Market data farm connection is broken:7");
        session.say(2104, "Market data farm connection is OK:7");
        assert_eq!(session.standing.farms.len(), MOST_FARMS - 1);
        assert_eq!(session.fits(Topic::MarketData, 0), Some(2103));
    }

    #[test]
    fn a_lost_ibkr_is_lost_until_it_is_back() {
        let mut session = Session::new();
        assert_eq!(session.unlinked(), None);
        for back in [1101, 1102] {
            session.say(1100, "lost");
            session.say(2104, "Market data farm connection is OK:usfarm");
            assert_eq!(session.unlinked(), Some(1100), "a farm that is back does not say that IBKR is");
            session.say(back, "restored");
            assert_eq!(session.unlinked(), None, "{back}");
        }
        session.say(2110, "broken");
        session.say(2103, "Market data farm connection is broken:usfarm");
        assert_eq!(session.unlinked(), Some(2110));
        session.say(2106, "HMDS data farm connection is OK:ushmds");
        assert_eq!(session.unlinked(), None);
    }

    #[test]
    fn a_notice_about_an_account_or_late_data_fits_what_was_asked_before_it() {
        let mut session = Session::new();
        session.say(2101, "taken");
        session.say(2188, "late");
        for topic in TOPICS {
            let fitting = match topic {
                Topic::AccountUpdates => Some(2101),
                Topic::History => Some(2188),
                _ => None,
            };
            assert_eq!(session.fits(topic, 0), fitting, "{topic:?}");
            assert_eq!(session.fits(topic, 3), None, "{topic:?}: it was asked afterwards");
        }
    }

    #[test]
    fn a_broken_farm_fits_what_needs_it_until_it_is_back() {
        let mut session = Session::new();
        session.say(2105, "HMDS data farm connection is broken:ushmds");
        session.say(2105, "HMDS data farm connection is broken:euhmds");
        session.say(2107, "HMDS data farm connection is inactive but should be available upon demand.ushmds");
        assert_eq!(TOPICS.map(|topic| session.fits(topic, 9)), [None, Some(2105), None, None, None]);
        session.say(2106, "HMDS data farm connection is OK:euhmds");
        assert_eq!(TOPICS.map(|topic| session.fits(topic, 9)), [None; 5]);
    }

    #[test]
    fn a_disclaimer_fits_everything_that_has_no_better_reason() {
        let mut session = Session::new();
        session.say(10141, "Paper trading disclaimer must first be accepted for API connection.");
        session.say(2101, "taken");
        assert_eq!(session.fits(Topic::AccountUpdates, 0), Some(2101));
        assert_eq!(session.fits(Topic::AccountUpdates, 9), Some(10141));
        assert_eq!(session.fits(Topic::Other, 9), Some(10141));
    }

    #[test]
    fn an_error_about_no_request_is_a_complaint_while_it_is_news() {
        let mut session = Session::new();
        session.say(321, "Error validating request.-'cq' : cause - Invalid account code");
        session.say(2100, "API client has been unsubscribed from account data.");
        session.say(1102, "restored");
        let complaint = |after| {
            let since = session.begun + Duration::from_secs(after);
            session.standing.reasons(Topic::Other, since).complaint.map(|word| word.code)
        };
        assert_eq!((complaint(0), complaint(2)), (Some(321), None));
    }

    #[test]
    fn an_operation_is_about_what_its_notices_are_about() {
        let request = Request::HistoricalBars(HistoricalBarsParams::default());
        assert_eq!(Topic::of_request(&request), Topic::History);
        assert_eq!(Topic::of_request(&Request::Positions), Topic::Other);
        let stream = StreamRequest::MarketData(MarketDataParams::default());
        assert_eq!(Topic::of_stream(&stream), Topic::MarketData);
        assert_eq!(Topic::of_stream(&StreamRequest::Notices), Topic::Other);
    }

    /// A row that is in neither list is new.
    #[test]
    fn somebody_has_decided_what_each_row_is_about() {
        let named = "account_updates_snapshot historical_bars historical_ticks historical_schedule \
            head_timestamp histogram quote_snapshot calculate_option_price \
            calculate_implied_volatility contract_details matching_symbols option_chain market_rule \
            account_updates historical_bar_updates market_data tick_by_tick real_time_bars \
            market_depth";
        let others = "proof_of_life server_time server_time_millis managed_accounts family_codes user_info \
            account_summary positions depth_exchanges smart_components open_orders all_open_orders \
            completed_orders executions next_order_id soft_dollar_tiers advisor_config display_groups \
            gateway_config news_providers news_article historical_news scanner_parameters wsh_metadata \
            wsh_events account_summary_updates account_updates_multi position_updates positions_multi \
            pnl pnl_single contract_news broad_tape_news scanner news_bulletins notices order_updates \
            display_group_events connectivity";
        let is_new = |command: &&str| !named.split(' ').chain(others.split(' ')).any(|name| name == *command);
        let new: Vec<_> = OPERATIONS.iter().map(|row| row.command).filter(is_new).collect();
        assert!(new.is_empty(), "give it a topic, if there are notices about it, and its name here: {new:?}");
    }
}

//! What a stream is made of, and so what it depends on.

use ibkr_connect_core::StreamRequest;
use ibkr_connect_core::types::FarmKind;

/// What a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Market data: void after 1101, and from a market data farm.
    Market,
    /// Historical bars that are kept up to date: void after 1101, and from farms of both kinds.
    Bars,
    /// Accounts and orders, from IBKR's servers.
    Account,
    /// What the Gateway itself says.
    Gateway,
    /// A snapshot of market data, which ends by itself.
    Snapshot,
}

impl Content {
    /// Whether it is void after a 1101.
    pub(super) fn is_market_data(self) -> bool {
        matches!(self, Self::Market | Self::Bars | Self::Snapshot)
    }

    /// Whether it may fall silent when the Gateway loses a farm of this kind.
    pub(super) fn depends_on_farm(self, kind: FarmKind) -> bool {
        match self {
            Self::Market => kind == FarmKind::MarketData,
            Self::Bars => kind != FarmKind::SecurityDefinitions,
            Self::Account | Self::Gateway | Self::Snapshot => false,
        }
    }

    /// Whether it may fall silent when the Gateway loses IBKR's servers.
    pub(super) fn depends_on_servers(self) -> bool {
        matches!(self, Self::Market | Self::Bars | Self::Account)
    }
}

impl From<&StreamRequest> for Content {
    fn from(request: &StreamRequest) -> Self {
        match request {
            StreamRequest::MarketData(params) if params.snapshot || params.regulatory_snapshot => {
                Self::Snapshot
            }
            StreamRequest::HistoricalBarUpdates(_) => Self::Bars,
            StreamRequest::Notices | StreamRequest::Connectivity => Self::Gateway,
            request if request.is_market_data() => Self::Market,
            _ => Self::Account,
        }
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::OPERATIONS;

    /// A stream that is not in the list is new.
    #[test]
    fn somebody_has_decided_what_each_stream_is_made_of() {
        let market = "market_data tick_by_tick real_time_bars historical_bar_updates market_depth contract_news \
            broad_tape_news scanner";
        let account = "account_summary_updates account_updates account_updates_multi position_updates positions_multi \
            pnl pnl_single news_bulletins order_updates display_group_events";
        let gateway = "notices connectivity";
        let lists = [market, account, gateway].join(" ");
        let is_new = |command: &&str| !lists.split(' ').any(|name| name == *command);
        let streams = OPERATIONS.iter().filter(|row| row.stream).map(|row| row.command);
        let new: Vec<_> = streams.filter(is_new).collect();
        assert!(
            new.is_empty(),
            "give it its content, if it is neither market data nor of accounts, and its name here: {new:?}"
        );
    }
}

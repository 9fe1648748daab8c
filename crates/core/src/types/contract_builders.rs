//! The descriptions of contracts that TWS understands, by kind of instrument.
//!
//! What they set is what most programs want, in US dollars; anything else is a field away:
//! `Contract::option(...).with_trading_class("SPXW")`.

use super::names::tws_names;
use super::{ComboLeg, Contract, Expiry, SecurityId};

tws_names! {
    /// What an option gives the right to.
    OptionRight, "option right" {
        #[default] Call = "C", Put = "P",
    }
}

/// Parameters that have a contract, and defaults for the rest.
macro_rules! of_contract {
    ($( $Params:ident )+) => { $(
        impl super::$Params {
            /// For this contract; the rest is as in [`default`](Default::default), and `with_` methods change it.
            pub fn new(contract: Contract) -> Self {
                Self { contract, ..Self::default() }
            }
        }
    )+ };
}

of_contract! {
    HistogramParams HeadTimestampParams HistoricalScheduleParams HistoricalTicksParams TickByTickParams RealTimeBarsParams HistoricalBarUpdatesParams HistoricalBarsParams MarketDepthParams QuoteSnapshotParams ContractNewsParams CalculateOptionPriceParams CalculateImpliedVolatilityParams
}

impl Contract {
    /// A US stock or ETF, smart-routed, in USD.
    ///
    /// ```
    /// # use ibkr_connect_core::types::Contract;
    /// let apple = Contract::stock("AAPL");
    /// let sap = Contract::stock("SAP").on("IBIS").in_currency("EUR");
    /// # assert_eq!((apple.exchange.as_str(), sap.exchange.as_str(), sap.currency.as_str()), ("SMART", "IBIS", "EUR"));
    /// ```
    pub fn stock(symbol: impl Into<String>) -> Self {
        Self::of("STK", symbol, "SMART", "USD")
    }

    /// An option on a stock or index, smart-routed, in USD. Where classes share their days, as `SPX` and `SPXW` do, set
    /// `trading_class` too.
    ///
    /// ```
    /// # use ibkr_connect_core::types::{Contract, OptionRight};
    /// use jiff::civil::date;
    ///
    /// let call = Contract::option("AAPL", date(2026, 12, 18), OptionRight::Call, 250.0);
    /// # assert_eq!((call.last_trade_date_or_contract_month.as_str(), call.right.as_str()), ("20261218", "C"));
    /// # assert_eq!(call.strike, Some(250.0));
    /// ```
    pub fn option(
        symbol: impl Into<String>,
        expiry: impl Into<Expiry>,
        right: OptionRight,
        strike: f64,
    ) -> Self {
        Self {
            last_trade_date_or_contract_month: expiry.into().to_string(),
            right: right.into(),
            strike: Some(strike),
            ..Self::of("OPT", symbol, "SMART", "USD")
        }
    }

    /// A future, on its exchange, in USD.
    ///
    /// ```
    /// # use ibkr_connect_core::types::{Contract, Expiry};
    /// let future = Contract::future("ES", Expiry::month(2027, 12)?, "CME");
    /// # assert_eq!(future.last_trade_date_or_contract_month, "202712");
    /// # Ok::<(), ibkr_connect_core::types::InvalidExpiry>(())
    /// ```
    pub fn future(symbol: impl Into<String>, expiry: impl Into<Expiry>, exchange: impl Into<String>) -> Self {
        Self {
            last_trade_date_or_contract_month: expiry.into().to_string(),
            ..Self::of("FUT", symbol, exchange, "USD")
        }
    }

    /// Every future of a product on an exchange, to list them with
    /// [`contract_details`](crate::Session::contract_details).
    ///
    /// ```
    /// # use ibkr_connect_core::types::Contract;
    /// let all = Contract::futures("ES", "CME");
    /// # assert!(all.last_trade_date_or_contract_month.is_empty());
    /// ```
    pub fn futures(symbol: impl Into<String>, exchange: impl Into<String>) -> Self {
        Self::of("FUT", symbol, exchange, "USD")
    }

    /// A currency pair on IDEALPRO.
    ///
    /// ```
    /// # use ibkr_connect_core::types::Contract;
    /// let euro = Contract::forex("EUR", "USD");
    /// # assert_eq!((euro.symbol.as_str(), euro.currency.as_str()), ("EUR", "USD"));
    /// ```
    pub fn forex(base: impl Into<String>, quote: impl Into<String>) -> Self {
        Self::of("CASH", base, "IDEALPRO", quote)
    }

    /// An index, as its exchange computes it, in USD.
    ///
    /// ```
    /// # use ibkr_connect_core::types::Contract;
    /// let index = Contract::index("SPX", "CBOE");
    /// # assert_eq!((index.sec_type.as_str(), index.exchange.as_str()), ("IND", "CBOE"));
    /// ```
    pub fn index(symbol: impl Into<String>, exchange: impl Into<String>) -> Self {
        Self::of("IND", symbol, exchange, "USD")
    }

    /// A cryptocurrency in USD, at the exchange that the account trades it, `PAXOS` or `ZEROHASH`.
    ///
    /// ```
    /// # use ibkr_connect_core::types::Contract;
    /// let bitcoin = Contract::crypto("BTC", "PAXOS");
    /// # assert_eq!((bitcoin.sec_type.as_str(), bitcoin.currency.as_str()), ("CRYPTO", "USD"));
    /// ```
    pub fn crypto(symbol: impl Into<String>, exchange: impl Into<String>) -> Self {
        Self::of("CRYPTO", symbol, exchange, "USD")
    }

    /// A bond by its CUSIP or ISIN, smart-routed: in USD if that is American, else in any currency. By its contract id a
    /// bond is [`with_con_id`](Self::with_con_id).
    ///
    /// ```
    /// # use ibkr_connect_core::types::{Contract, SecurityId};
    /// let treasury = Contract::bond(&SecurityId::cusip("912810RN0")?);
    /// # assert_eq!((treasury.sec_id_type.as_str(), treasury.symbol.as_str()), ("CUSIP", "912810RN0"));
    /// # Ok::<(), ibkr_connect_core::types::InvalidSecurityId>(())
    /// ```
    pub fn bond(id: &SecurityId) -> Self {
        // TWS takes a bond's id for its symbol.
        let currency = if id.is_american() { "USD" } else { "" };
        Self {
            sec_id_type: id.kind().to_owned(),
            sec_id: id.to_string(),
            ..Self::of("BOND", id.as_str(), "SMART", currency)
        }
    }

    /// A combination of contracts, bought or sold as one, smart-routed, in USD. The symbol is that of the underlying.
    ///
    /// ```
    /// # use ibkr_connect_core::types::{ComboLeg, Contract};
    /// let spread = Contract::combo("AAPL", [ComboLeg::buy(495_512_557, 1), ComboLeg::sell(495_512_572, 1)]);
    /// # assert_eq!((spread.sec_type.as_str(), spread.combo_legs.len()), ("BAG", 2));
    /// ```
    pub fn combo(symbol: impl Into<String>, legs: impl IntoIterator<Item = ComboLeg>) -> Self {
        Self { combo_legs: legs.into_iter().collect(), ..Self::of("BAG", symbol, "SMART", "USD") }
    }

    /// The contract with this id, smart-routed.
    ///
    /// ```
    /// # use ibkr_connect_core::types::Contract;
    /// let apple = Contract::with_con_id(265_598);
    /// # assert_eq!((apple.con_id, apple.exchange.as_str()), (265_598, "SMART"));
    /// ```
    pub fn with_con_id(con_id: i32) -> Self {
        Self { con_id, ..Self::of("", "", "SMART", "") }
    }

    /// The same at another exchange.
    #[must_use]
    pub fn on(self, exchange: impl Into<String>) -> Self {
        Self { exchange: exchange.into(), ..self }
    }

    /// The same in another currency.
    #[must_use]
    pub fn in_currency(self, currency: impl Into<String>) -> Self {
        Self { currency: currency.into(), ..self }
    }

    fn of(
        sec_type: &str,
        symbol: impl Into<String>,
        exchange: impl Into<String>,
        currency: impl Into<String>,
    ) -> Self {
        Self {
            symbol: symbol.into(),
            sec_type: sec_type.into(),
            exchange: exchange.into(),
            currency: currency.into(),
            ..Self::default()
        }
    }
}

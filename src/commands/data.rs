//! The commands that show data: accounts, positions, bars, quote, ticks.

use std::collections::BTreeMap;
use std::time::Duration;

use ibkr_connect::types::{
    Contract, HistoricalBarsParams, MarketDataEvent, MarketDataParams, MarketDataType, WhatToShow,
};
use ibkr_connect::{Config, Error, ErrorKind, Session};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::with_session;
use crate::cli::{Bars, Instrument, Kind, Quote, Ticks};
use crate::output::{Format, Output, optional, print_line, print_lines, table};

/// `accounts`
pub(crate) fn accounts(config: &Config, output: &Output) -> anyhow::Result<()> {
    with_session(config, async |session: Session, waits| {
        let values = session.account_summary(Default::default()).await?;
        waits.over();
        let header = ["account", "tag", "value", "currency"];
        Ok(output.rows(&values, &header, |value| {
            vec![
                value.account.clone(),
                value.tag.clone(),
                value.value.clone(),
                optional(value.currency.as_ref()),
            ]
        })?)
    })
}

/// `positions`
pub(crate) fn positions(config: &Config, output: &Output) -> anyhow::Result<()> {
    with_session(config, async |session: Session, waits| {
        let positions = session.positions().await?;
        waits.over();
        let header = ["account", "symbol", "type", "exchange", "currency", "position", "average cost"];
        Ok(output.rows(&positions, &header, |held| {
            let contract = &held.contract;
            vec![
                held.account.clone(),
                contract.symbol.clone(),
                contract.sec_type.to_string(),
                contract.exchange.clone(),
                contract.currency.clone(),
                optional(held.position),
                optional(held.average_cost),
            ]
        })?)
    })
}

/// `bars SYMBOL`
pub(crate) fn bars(config: &Config, output: &Output, arguments: &Bars) -> anyhow::Result<()> {
    let contract = arguments.instrument.contract()?;
    let natural = if contract.sec_type == "CASH" { WhatToShow::Midpoint } else { WhatToShow::Trades };
    let params = HistoricalBarsParams::new(contract)
        .with_duration(arguments.duration)
        .with_bar_size(arguments.bar_size)
        .with_what_to_show(arguments.what_to_show.unwrap_or(natural))
        .with_use_rth(arguments.rth);
    with_session(config, async |session: Session, waits| {
        let found = session.historical_bars(params).await?;
        waits.over();
        let header = ["time", "open", "high", "low", "close", "volume"];
        Ok(output.rows(&found.bars, &header, |bar| {
            vec![
                optional(bar.time),
                optional(bar.open),
                optional(bar.high),
                optional(bar.low),
                optional(bar.close),
                optional(bar.volume),
            ]
        })?)
    })
}

/// `quote SYMBOL`
pub(crate) fn quote(config: &Config, output: &Output, arguments: &Quote) -> anyhow::Result<()> {
    let symbol = &arguments.instrument.symbol;
    let contract = arguments.instrument.contract()?;
    let params =
        MarketDataParams::snapshot(contract).with_market_data_type(market_data_type(arguments.delayed));
    let limit = config.request_timeout;
    with_session(config, async |session: Session, waits| {
        let mut ticks = session.market_data(params).await?;
        let (mut values, mut notices) = (BTreeMap::new(), Vec::new());
        let deadline = Instant::now() + limit;
        loop {
            match timeout_at(deadline, ticks.next()).await {
                Ok(Some(event)) => match event? {
                    MarketDataEvent::Notice { code, message } => notices.push((code, message)),
                    event => values.extend(named_values(event)),
                },
                Ok(None) => break,
                Err(_) if values.is_empty() => return Err(no_quote(symbol, limit, notices.pop()).into()),
                Err(_) => break,
            }
        }
        waits.over();
        show_quote(output, symbol, &values, &notices)
    })
}

fn no_quote(symbol: &str, limit: Duration, last: Option<(i32, String)>) -> Error {
    let error = Error::new(ErrorKind::Timeout, format!("no quote of {symbol} within {limit:?}"));
    match last {
        Some((code, text)) => error
            .with_code(code)
            .map_message(|words| format!("{words}; the Gateway has said: {code}: {text}")),
        None => error,
    }
}

fn show_quote(
    output: &Output,
    symbol: &str,
    values: &BTreeMap<String, Value>,
    notices: &[(i32, String)],
) -> anyhow::Result<()> {
    match output.format {
        Format::Json => {
            let notices: Vec<_> =
                notices.iter().map(|(code, message)| json!({ "code": code, "message": message })).collect();
            output.json(&json!({ "symbol": symbol, "values": values, "notices": notices }))?;
        }
        Format::Table => {
            let rows = values.iter().map(|(name, value)| {
                vec![name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]
            });
            print_lines(&table(&[symbol, "value"], rows).to_string())?;
            for (code, message) in notices {
                print_line(&format!("notice {code}: {message}"))?;
            }
        }
    }
    Ok(())
}

/// The values in an event by the names a quote shows them under.
fn named_values(event: MarketDataEvent) -> Vec<(String, Value)> {
    match event {
        MarketDataEvent::Price { tick_type, price, .. } => vec![(tick_type.to_string(), json!(price))],
        MarketDataEvent::Size { tick_type, size } => vec![(tick_type.to_string(), json!(size))],
        MarketDataEvent::Text { tick_type, value } => vec![(tick_type.to_string(), json!(value))],
        MarketDataEvent::Generic { tick_type, value } => vec![(tick_type.to_string(), json!(value))],
        _ => Vec::new(),
    }
}

/// `ticks SYMBOL`
pub(crate) fn ticks(config: &Config, output: &Output, arguments: &Ticks) -> anyhow::Result<()> {
    let contract = arguments.instrument.contract()?;
    let params =
        MarketDataParams::streaming(contract).with_market_data_type(market_data_type(arguments.delayed));
    with_session(config, async |session: Session, waits| {
        // Once for all turns of the loop: an interrupt between two of them counts too.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut ticks = session.market_data(params).await?;
        let deadline = Instant::now() + arguments.length;
        loop {
            let event = tokio::select! {
                event = timeout_at(deadline, ticks.next()) => event,
                _ = interrupt.recv() => return Ok(()),
            };
            match event {
                Ok(Some(event)) => {
                    waits.over();
                    show_tick(output, &event?)?;
                }
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    })
}

fn show_tick(output: &Output, event: &MarketDataEvent) -> anyhow::Result<()> {
    match output.format {
        Format::Json => output.json(event)?,
        Format::Table => print_line(&sentence(event))?,
    }
    Ok(())
}

fn sentence(event: &MarketDataEvent) -> String {
    match event {
        MarketDataEvent::Price { tick_type, price, size, .. } => {
            let size = size.map(|size| format!(" x {size}")).unwrap_or_default();
            format!("{tick_type:<16} {}{size}", optional(*price))
        }
        MarketDataEvent::Size { tick_type, size } => format!("{tick_type:<16} {}", optional(*size)),
        MarketDataEvent::Text { tick_type, value } => format!("{tick_type:<16} {value}"),
        MarketDataEvent::Generic { tick_type, value } => format!("{tick_type:<16} {}", optional(*value)),
        MarketDataEvent::Notice { code, message } => format!("notice {code}: {message}"),
        MarketDataEvent::RequestParameters { min_tick, .. } => {
            format!("minimum tick     {}", optional(*min_tick))
        }
        MarketDataEvent::MarketDataType { market_data_type } => {
            format!("market data type {market_data_type}")
        }
        other => json!(other).to_string(),
    }
}

fn market_data_type(delayed: bool) -> MarketDataType {
    if delayed { MarketDataType::Delayed } else { MarketDataType::Live }
}

impl Instrument {
    /// What the command line means: without a type `EUR.USD` is a currency pair, anything else a US stock.
    ///
    /// # Errors
    /// `config`, when the type needs more.
    fn contract(&self) -> Result<Contract, Error> {
        let symbol = self.symbol.to_ascii_uppercase();
        let pair = pair(&symbol);
        let kind = self.kind.unwrap_or(if pair.is_some() { Kind::Cash } else { Kind::Stk });
        let contract = match kind {
            Kind::Stk | Kind::Cfd => {
                let stock = self.exchange.iter().fold(Contract::stock(symbol), |stock, at| stock.on(at));
                if kind == Kind::Cfd { stock.with_sec_type("CFD") } else { stock }
            }
            Kind::Cash => {
                let pair = pair.ok_or_else(|| self.incomplete("a pair as its symbol, such as EUR.USD"))?;
                self.exchange.iter().fold(Contract::forex(pair.0, pair.1), |pair, at| pair.on(at))
            }
            Kind::Ind => Contract::index(symbol, self.exchange("CBOE for SPX")?),
            Kind::Crypto => Contract::crypto(symbol, self.exchange("PAXOS for BTC")?),
            Kind::Fut => {
                let exchange = self.exchange("CME for ES")?;
                let expiry = self.expiry.ok_or_else(|| self.incomplete("--expiry, e.g. 2026-12"))?;
                Contract::future(symbol, expiry, exchange)
            }
        };
        if self.expiry.is_some() && kind != Kind::Fut {
            return Err(self.incomplete("no --expiry: only FUT has one"));
        }
        Ok(match (&self.currency, kind) {
            (Some(_), Kind::Cash) => return Err(self.incomplete("no --currency: the pair has it")),
            (Some(currency), _) => contract.in_currency(currency.to_ascii_uppercase()),
            (None, _) => contract,
        })
    }

    fn exchange(&self, example: &str) -> Result<&str, Error> {
        self.exchange.as_deref().ok_or_else(|| self.incomplete(&format!("--exchange, e.g. {example}")))
    }

    fn incomplete(&self, needs: &str) -> Error {
        Error::new(ErrorKind::Config, format!("{}: this type needs {needs}", self.symbol)).with_advice(
            "`--help` after the command says what each type needs; `call` takes contracts of every type",
        )
    }
}

/// The two currencies of a pair.
fn pair(symbol: &str) -> Option<(&str, &str)> {
    let is_currency = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    symbol.split_once('.').filter(|(base, quote)| is_currency(base) && is_currency(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instrument(symbol: &str, kind: Option<Kind>) -> Instrument {
        Instrument { symbol: symbol.to_owned(), kind, exchange: None, currency: None, expiry: None }
    }

    #[test]
    fn a_symbol_is_a_stock_or_a_pair() {
        for (symbol, contract) in [
            ("aapl", Contract::stock("AAPL")),
            ("eur.usd", Contract::forex("EUR", "USD")),
            ("BRK B", Contract::stock("BRK B")),
        ] {
            assert_eq!(instrument(symbol, None).contract().unwrap(), contract);
        }
    }

    #[test]
    fn a_type_says_what_it_needs() {
        let at = |exchange: &str, instrument: Instrument| Instrument {
            exchange: Some(exchange.to_owned()),
            ..instrument
        };
        for (kind, symbol, needs) in [
            (Kind::Cash, "EUR", "a pair"),
            (Kind::Ind, "SPX", "--exchange"),
            (Kind::Crypto, "BTC", "--exchange"),
            (Kind::Fut, "ES", "--exchange"),
        ] {
            let error = instrument(symbol, Some(kind)).contract().unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.message().contains(needs), "{error}");
        }
        let future = at("CME", instrument("es", Some(Kind::Fut)));
        assert!(future.contract().unwrap_err().message().contains("--expiry"));
        let expiry = "2026-12".parse().unwrap();
        let future = Instrument { expiry: Some(expiry), ..future };
        assert_eq!(future.contract().unwrap(), Contract::future("ES", expiry, "CME"));
        // As TWS writes a day, and as `option_chain` does.
        for day in ["20261218", "2026-12-18"] {
            let future =
                Instrument { expiry: day.parse().ok(), ..at("CME", instrument("es", Some(Kind::Fut))) };
            assert_eq!(future.contract().unwrap().last_trade_date_or_contract_month, "20261218");
        }
        let index = at("CBOE", instrument("spx", Some(Kind::Ind)));
        assert_eq!(index.contract().unwrap(), Contract::index("SPX", "CBOE"));
        let sap = Instrument { currency: Some("eur".to_owned()), ..at("IBIS", instrument("sap", None)) };
        assert_eq!(sap.contract().unwrap(), Contract::stock("SAP").on("IBIS").in_currency("EUR"));
        let cfd = Contract::stock("IBM").with_sec_type("CFD");
        assert_eq!(instrument("ibm", Some(Kind::Cfd)).contract().unwrap(), cfd);
        let pair = Instrument { currency: Some("EUR".to_owned()), ..instrument("EUR.USD", None) };
        assert!(pair.contract().is_err());
        let stock = Instrument { expiry: Some(expiry), ..instrument("AAPL", None) };
        assert!(stock.contract().unwrap_err().message().contains("no --expiry"));
    }
}

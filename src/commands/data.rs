//! The commands that show data: accounts, positions, bars, quote, ticks.

use std::collections::BTreeMap;

use ibkr_connect::types::{Contract, HistoricalBarsParams, MarketDataEvent, MarketDataParams, WhatToShow};
use ibkr_connect::{Config, Error, ErrorKind, Session};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::with_session;
use crate::cli::{Bars, Ticks};
use crate::output::{Format, Output, optional, print_line, print_lines, table};

/// `accounts`
pub(crate) fn accounts(config: &Config, output: &Output) -> anyhow::Result<()> {
    with_session(config, async |session: Session| {
        let values = session.account_summary(Default::default()).await?;
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
    with_session(config, async |session: Session| {
        let positions = session.positions().await?;
        let header = ["account", "symbol", "type", "exchange", "currency", "position", "average cost"];
        Ok(output.rows(&positions, &header, |held| {
            let contract = &held.contract;
            vec![
                held.account.clone(),
                contract.symbol.clone(),
                contract.sec_type.to_string(),
                contract.exchange.clone(),
                contract.currency.clone(),
                held.position.to_string(),
                optional(held.average_cost),
            ]
        })?)
    })
}

/// `bars SYMBOL`
pub(crate) fn bars(config: &Config, output: &Output, arguments: &Bars) -> anyhow::Result<()> {
    let contract = contract(&arguments.symbol.symbol);
    let natural = if contract.sec_type == "CASH" { WhatToShow::Midpoint } else { WhatToShow::Trades };
    let params = HistoricalBarsParams {
        contract,
        end: None,
        duration: arguments.duration,
        bar_size: arguments.bar_size,
        what_to_show: arguments.what_to_show.unwrap_or(natural),
        use_rth: arguments.rth,
    };
    with_session(config, async |session: Session| {
        let found = session.historical_bars(params).await?;
        let header = ["time", "open", "high", "low", "close", "volume", "wap", "count"];
        Ok(output.rows(&found.bars, &header, |bar| {
            vec![
                bar.time.to_string(),
                optional(bar.open),
                optional(bar.high),
                optional(bar.low),
                optional(bar.close),
                optional(bar.volume),
                optional(bar.wap),
                optional(bar.count),
            ]
        })?)
    })
}

/// `quote SYMBOL`
pub(crate) fn quote(config: &Config, output: &Output, symbol: &str) -> anyhow::Result<()> {
    let params = MarketDataParams::snapshot(contract(symbol));
    let limit = config.request_timeout;
    with_session(config, async |session: Session| {
        let mut ticks = session.market_data(params).await?;
        let mut values = BTreeMap::new();
        let deadline = Instant::now() + limit;
        loop {
            match timeout_at(deadline, ticks.next()).await {
                Ok(Some(event)) => values.extend(named_values(event?)),
                Ok(None) => break,
                Err(_) if values.is_empty() => {
                    let message = format!("no quote of {symbol} within {limit:?}");
                    return Err(Error::new(ErrorKind::Timeout, message).into());
                }
                Err(_) => break,
            }
        }
        show_quote(output, symbol, &values)
    })
}

fn show_quote(output: &Output, symbol: &str, values: &BTreeMap<String, Value>) -> anyhow::Result<()> {
    match output.format {
        Format::Json => output.json(&json!({ "symbol": symbol, "values": values }))?,
        Format::Table => {
            let rows = values.iter().map(|(name, value)| {
                vec![name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]
            });
            print_lines(&table(&[symbol, "value"], rows).to_string())?;
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
    let params = MarketDataParams::streaming(contract(&arguments.symbol.symbol));
    with_session(config, async |session: Session| {
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
                Ok(Some(event)) => show_tick(output, &event?)?,
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
        MarketDataEvent::Price { tick_type, price, size } => {
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

/// What a symbol on the command line means: `EUR.USD` is a currency pair, anything else a US stock.
fn contract(symbol: &str) -> Contract {
    let is_currency = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    match symbol.split_once('.') {
        Some((base, quote)) if is_currency(base) && is_currency(quote) => {
            Contract::forex(base.to_ascii_uppercase(), quote.to_ascii_uppercase())
        }
        _ => Contract::stock(symbol.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_a_stock_or_a_pair() {
        assert_eq!(contract("aapl"), Contract::stock("AAPL"));
        assert_eq!(contract("eur.usd"), Contract::forex("EUR", "USD"));
        assert_eq!(contract("BRK B"), Contract::stock("BRK B"));
    }
}

//! Symbols, price steps and option chains.

use ibapi::contracts as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    MarketRule, OptionChain, OptionComputation, PriceIncrement, SymbolMatch, TickType, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};
use jiff::civil::Date;

use super::contract;
use super::tws_time::is_day;

pub(crate) fn symbol_match(found: ib::ContractDescription) -> SymbolMatch {
    let derivatives = found.derivative_security_types.into_iter();
    literal!(SymbolMatch {
        contract: contract(found.contract),
        derivative_sec_types: derivatives.map(Into::into).collect(),
    })
}

pub(crate) fn market_rule(rule: ib::MarketRule) -> MarketRule {
    let increment = |step: ib::PriceIncrement| {
        literal!(PriceIncrement { low_edge: set(step.low_edge), increment: set(step.increment) })
    };
    literal!(MarketRule {
        market_rule_id: rule.market_rule_id,
        price_increments: rule.price_increments.into_iter().map(increment).collect(),
    })
}

pub(crate) fn option_chain(chain: ib::OptionChain) -> Result<OptionChain> {
    Ok(literal!(OptionChain {
        exchange: chain.exchange,
        underlying_con_id: chain.underlying_contract_id,
        trading_class: chain.trading_class,
        multiplier: chain.multiplier,
        expirations: chain.expirations.iter().map(|day| expiration(day)).collect::<Result<_>>()?,
        strikes: chain.strikes.into_iter().filter_map(set).collect(),
    }))
}

fn expiration(text: &str) -> Result<Date> {
    let day = Some(text).filter(|text| is_day(text)).and_then(|text| Date::strptime("%Y%m%d", text).ok());
    day.ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        let message = format!(
            "the Gateway sent {text:?} as the day on which an option expires, and no day is written so"
        );
        Error::new(ErrorKind::Protocol, message)
    })
}

pub(crate) fn option_computation(computed: ib::OptionComputation) -> OptionComputation {
    literal!(OptionComputation {
        tick_type: TickType(computed.field as i32),
        implied_volatility: computed.implied_volatility.and_then(set),
        delta: computed.delta.and_then(set),
        option_price: computed.option_price.and_then(set),
        present_value_dividend: computed.present_value_dividend.and_then(set),
        gamma: computed.gamma.and_then(set),
        vega: computed.vega.and_then(set),
        theta: computed.theta.and_then(set),
        underlying_price: computed.underlying_price.and_then(set),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_a_day_or_an_error_that_names_it() {
        let chain = |day: &str| {
            option_chain(ib::OptionChain { expirations: vec![day.to_owned()], ..ib::OptionChain::default() })
        };
        assert_eq!(chain("20261218").unwrap().expirations, [jiff::civil::date(2026, 12, 18)]);
        for wrong in ["202612", "2026-12-18", "-0261218", ""] {
            let error = chain(wrong).unwrap_err();
            assert!(error.message().contains(&format!("{wrong:?}")), "{error}");
        }
    }
}

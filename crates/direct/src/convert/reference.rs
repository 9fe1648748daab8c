//! Symbols, price steps and option chains.

use ibapi::contracts as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    MarketRule, OptionChain, OptionComputation, PriceIncrement, SymbolMatch, TickType, number, set,
};
use ibkr_connect_wire::messages as wire;

use super::expiry::LastTrade;
use super::{contract, entries, or_zero, whole};

/// The list travels whole, in the one description that ibapi is given.
pub(crate) fn symbol_matches(found: Vec<ib::ContractDescription>) -> Vec<SymbolMatch> {
    let list = found.first().map(|found| whole::<wire::SymbolSamples>(&found.contract.description));
    list.unwrap_or_default().contract_descriptions.into_iter().map(symbol_match).collect()
}

fn symbol_match(of: wire::ContractDescription) -> SymbolMatch {
    let derivatives = entries(of.derivative_sec_types).into_iter();
    literal!(SymbolMatch {
        contract: contract(of.contract.unwrap_or_default()),
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

/// An expiration that is no day is among the others: it does not cost the chain.
pub(crate) fn option_chain(chain: ib::OptionChain) -> OptionChain {
    let (mut expirations, mut other_expirations) = (Vec::new(), Vec::new());
    for text in entries(chain.expirations) {
        match LastTrade::new(&text).date() {
            Some(day) => expirations.push(day),
            None => other_expirations.push(text),
        }
    }
    literal!(OptionChain {
        exchange: chain.exchange,
        underlying_con_id: or_zero(chain.underlying_contract_id),
        trading_class: chain.trading_class,
        multiplier: chain.multiplier,
        expirations,
        other_expirations,
        strikes: chain.strikes.into_iter().filter_map(set).collect(),
    })
}

pub(crate) fn option_computation(computed: ib::OptionComputation) -> OptionComputation {
    literal!(OptionComputation {
        tick_type: TickType(computed.field as i32),
        implied_volatility: computed.implied_volatility.and_then(set),
        tick_attrib: computed.tick_attribute.and_then(number),
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
    use jiff::civil::date;

    use super::*;

    #[test]
    fn an_expiration_that_is_no_day_costs_only_itself() {
        let expirations =
            ["20261218", "202612", "", "20260918 08:30:00 US/Central", "-0261218", "20260230", "2027-01-15"];
        let chain =
            ib::OptionChain { expirations: expirations.map(str::to_owned).into(), ..Default::default() };
        let chain = option_chain(chain);
        assert_eq!(
            chain.expirations,
            [(2026, 12, 18), (2026, 9, 18), (2027, 1, 15)].map(|(y, m, d)| date(y, m, d))
        );
        assert_eq!(chain.other_expirations, ["202612", "-0261218", "20260230"]);
    }
}

//! Symbols, price steps, option chains, and the option model.

use ibkr_connect_core::Result;
use ibkr_connect_core::types::{
    CalculateImpliedVolatilityParams, CalculateOptionPriceParams, MarketRule, MarketRuleParams,
    MatchingSymbolsParams, OptionChain, OptionChainParams, OptionComputation, SymbolMatch,
};

use super::asker::Asker;
use super::forward::collect;
use crate::convert;

pub(super) async fn matching_symbols(
    asker: &Asker,
    params: &MatchingSymbolsParams,
) -> Result<Vec<SymbolMatch>> {
    let found = asker.answered(asker.ask(asker.matching_symbols(&params.pattern)).await?)?;
    Ok(convert::symbol_matches(found))
}

pub(super) async fn market_rule(asker: &Asker, params: &MarketRuleParams) -> Result<MarketRule> {
    Ok(convert::market_rule(asker.ask_unnumbered(|| asker.market_rule(params.market_rule_id)).await?))
}

pub(super) async fn option_chain(asker: &Asker, params: &OptionChainParams) -> Result<Vec<OptionChain>> {
    let security_type = convert::security_type(params.underlying_sec_type.as_str())?;
    let mut builder = asker.option_chain(&params.underlying_symbol, security_type, params.underlying_con_id);
    if !params.fut_fop_exchange.is_empty() {
        builder = builder.exchange(&params.fut_fop_exchange);
    }
    let chains = asker.ask_as(builder.request_id(), builder.subscribe()).await?;
    collect(asker, chains, |chain| Ok(convert::option_chain(chain))).await
}

pub(super) async fn calculate_option_price(
    asker: &Asker,
    params: &CalculateOptionPriceParams,
) -> Result<OptionComputation> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let question = asker.calculate_option_price(&contract, params.volatility, params.under_price);
    Ok(convert::option_computation(asker.ask(question).await?))
}

pub(super) async fn calculate_implied_volatility(
    asker: &Asker,
    params: &CalculateImpliedVolatilityParams,
) -> Result<OptionComputation> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let question = asker.calculate_implied_volatility(&contract, params.option_price, params.under_price);
    Ok(convert::option_computation(asker.ask(question).await?))
}

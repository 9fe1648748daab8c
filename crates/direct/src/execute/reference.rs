//! Symbols, price steps, option chains, and the option model.

use ibapi::Client;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{
    CalculateImpliedVolatilityParams, CalculateOptionPriceParams, MarketRule, MarketRuleParams,
    MatchingSymbolsParams, OptionChain, OptionChainParams, OptionComputation, SymbolMatch,
};

use super::cut_short;
use super::forward::collect;
use crate::convert;
use crate::error::request_error;

pub(super) async fn matching_symbols(
    client: &Client,
    params: &MatchingSymbolsParams,
) -> Result<Vec<SymbolMatch>> {
    let found = client.matching_symbols(&params.pattern).await;
    let found = found.map_err(|error| request_error("matching_symbols", error))?;
    // ibapi takes an answer that never came for one without symbols.
    if found.is_empty() && !client.is_connected() {
        return Err(cut_short("matching_symbols"));
    }
    Ok(found.into_iter().map(convert::symbol_match).collect())
}

pub(super) async fn market_rule(client: &Client, params: &MarketRuleParams) -> Result<MarketRule> {
    let rule = client.market_rule(params.market_rule_id).await;
    Ok(convert::market_rule(rule.map_err(|error| request_error("market_rule", error))?))
}

pub(super) async fn option_chain(client: &Client, params: &OptionChainParams) -> Result<Vec<OptionChain>> {
    let failed = |error| request_error("option_chain", error);
    let security_type = convert::security_type(&params.underlying_sec_type)?;
    let mut builder = client.option_chain(&params.underlying_symbol, security_type, params.underlying_con_id);
    if !params.fut_fop_exchange.is_empty() {
        builder = builder.exchange(&params.fut_fop_exchange);
    }
    let chains = builder.subscribe().await.map_err(failed)?;
    collect("option_chain", chains, convert::option_chain).await
}

pub(super) async fn calculate_option_price(
    client: &Client,
    params: &CalculateOptionPriceParams,
) -> Result<OptionComputation> {
    const COMMAND: &str = "calculate_option_price";
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let computed = client.calculate_option_price(&contract, params.volatility, params.under_price).await;
    Ok(convert::option_computation(computed.map_err(|error| request_error(COMMAND, error))?))
}

pub(super) async fn calculate_implied_volatility(
    client: &Client,
    params: &CalculateImpliedVolatilityParams,
) -> Result<OptionComputation> {
    const COMMAND: &str = "calculate_implied_volatility";
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let computed =
        client.calculate_implied_volatility(&contract, params.option_price, params.under_price).await;
    Ok(convert::option_computation(computed.map_err(|error| request_error(COMMAND, error))?))
}

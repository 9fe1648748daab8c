//! Option chains, and the option model asked directly.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::framing::Frame;
use crate::market::{Computation, EXCHANGES, MULTIPLIER, OptionListing, World};
use crate::messages::{
    CalculateImpliedVolatilityRequest, CalculateOptionPriceRequest, Contract, Response, SecDefOptParameter,
    SecDefOptParamsRequest, TickOptionComputation, end, end_frame,
};
use crate::session::{Refusal, ambiguous, no_definition};

/// IBKR's tick type for what was computed on request.
const CUSTOM: i32 = 53;

/// IBKR's value for what could not be computed.
const NOT_COMPUTED: f64 = -1.0;

/// The expirations and strikes of an underlying, by exchange; nothing but the end where there are none.
pub(crate) fn chain(world: &World, wanted: &SecDefOptParamsRequest) -> Vec<Frame> {
    let con_id = wanted.underlying_con_id.unwrap_or_default();
    let symbol = wanted.underlying_symbol.as_deref().unwrap_or_default();
    // Options on futures are those of an exchange, and there are none here.
    let of_futures = wanted.fut_fop_exchange.as_deref().is_some_and(|exchange| !exchange.is_empty());
    let of_underlying = |option: &&OptionListing| {
        option.underlying.listing.con_id == con_id && option.symbol() == symbol && !of_futures
    };
    let mut strikes_of = BTreeMap::<_, Vec<f64>>::new();
    for option in world.options.iter().filter(of_underlying) {
        strikes_of.entry(option.expiration.to_owned()).or_default().push(option.strike);
    }
    let mut strikes: Vec<_> = strikes_of.values().flatten().copied().collect();
    strikes.sort_by(f64::total_cmp);
    strikes.dedup();
    let chains = EXCHANGES.iter().filter(|_| !strikes.is_empty()).map(|exchange| {
        let chain = SecDefOptParameter {
            req_id: wanted.req_id,
            exchange: Some((*exchange).to_owned()),
            underlying_con_id: Some(con_id),
            trading_class: Some(symbol.to_owned()),
            multiplier: Some(MULTIPLIER.to_string()),
            expirations: strikes_of.keys().cloned().collect(),
            strikes: strikes.clone(),
        };
        chain.frame()
    });
    chains.chain([end_frame(end::OPTION_CHAIN, wanted.req_id)]).collect()
}

/// What an option costs at a volatility.
pub(crate) fn price(
    world: &World,
    wanted: &CalculateOptionPriceRequest,
    now: Timestamp,
) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let option = option(world, req_id, wanted.contract.as_ref())?;
    let (volatility, spot) = (wanted.volatility.unwrap_or_default(), wanted.under_price.unwrap_or_default());
    let value = option.model(spot, now).value(volatility);
    let computation =
        Computation { volatility: Some(volatility), value: Some(value), price: value.price, spot };
    Ok(computation_frame(req_id, CUSTOM, &computation))
}

/// The volatility in a price.
pub(crate) fn implied_volatility(
    world: &World,
    wanted: &CalculateImpliedVolatilityRequest,
    now: Timestamp,
) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let option = option(world, req_id, wanted.contract.as_ref())?;
    let (price, spot) = (wanted.option_price.unwrap_or_default(), wanted.under_price.unwrap_or_default());
    Ok(computation_frame(req_id, CUSTOM, &option.implied(price, spot, now)))
}

fn option<'a>(
    world: &'a World,
    req_id: i32,
    wanted: Option<&Contract>,
) -> Result<&'a OptionListing, Refusal> {
    let wanted = wanted.ok_or_else(|| no_definition(req_id))?;
    let mut found = world.options.iter().filter(|option| option.fits(wanted));
    match (found.next(), found.next()) {
        (Some(option), None) => Ok(option),
        (Some(option), Some(_)) => Err(ambiguous(req_id, option.underlying.listing.symbol)),
        (None, _) => Err(no_definition(req_id)),
    }
}

/// A computation as IBKR sends it.
pub(crate) fn computation_frame(req_id: i32, tick_type: i32, computation: &Computation) -> Frame {
    let Computation { volatility, value, price, spot } = *computation;
    let greek = |of: fn(crate::market::Value) -> f64, missing| Some(value.map_or(missing, of));
    let message = TickOptionComputation {
        req_id: Some(req_id),
        tick_type: Some(tick_type),
        tick_attrib: Some(0),
        implied_vol: Some(volatility.unwrap_or(NOT_COMPUTED)),
        // The greeks may be negative; -2 stands for none.
        delta: greek(|value| value.delta, -2.0),
        opt_price: Some(price),
        pv_dividend: Some(0.0),
        gamma: greek(|value| value.gamma, -2.0),
        vega: greek(|value| value.vega, -2.0),
        theta: greek(|value| value.theta, -2.0),
        und_price: Some(spot),
    };
    message.frame()
}

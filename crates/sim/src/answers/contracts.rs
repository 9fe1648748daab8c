//! Contracts: their details, symbols that match, and the steps of their prices.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use prost::Message;

use crate::framing::Frame;
use crate::market::{World, rules};
use crate::messages::{
    ContractData, ContractDataRequest, ContractDescription, MarketRule, MarketRuleRequest,
    MatchingSymbolsRequest, PriceIncrement, Response, SymbolSamples, end, end_frame,
};
use crate::session::{Refusal, no_definition};

/// Details of bonds have an id of their own.
const BOND_CONTRACT_DATA: i32 = 18;

/// IBKR's limit for one pattern.
const MOST_SYMBOLS: usize = 16;

/// Everything that fits a description; error 200 if nothing does.
pub(crate) fn details(
    world: &World,
    wanted: &ContractDataRequest,
    now: Timestamp,
) -> Result<Vec<Frame>, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let today = TimeZone::UTC.to_datetime(now).date();
    let contract = wanted.contract.clone().unwrap_or_default();
    let instruments = world.find(&contract).map(|one| (one.listing.contract(), one.listing.details(today)));
    let options = world.find_options(&contract).map(|one| (one.contract(), one.details(today)));
    let mut frames: Vec<_> = instruments
        .chain(options)
        .map(|(contract, details)| {
            let is_bond = contract.sec_type.as_deref() == Some("BOND");
            let data = ContractData {
                req_id: Some(req_id),
                contract: Some(contract),
                contract_details: Some(details),
            };
            if is_bond { Frame { id: BOND_CONTRACT_DATA, body: data.encode_to_vec() } } else { data.frame() }
        })
        .collect();
    if frames.is_empty() {
        return Err(no_definition(req_id));
    }
    frames.push(end_frame(end::CONTRACT_DATA, Some(req_id)));
    Ok(frames)
}

/// The contracts whose symbol or name begins with a pattern.
pub(crate) fn matching_symbols(world: &World, wanted: &MatchingSymbolsRequest) -> Frame {
    let pattern = wanted.pattern.as_deref().unwrap_or_default().to_uppercase();
    let fits = |text: &str| !pattern.is_empty() && text.to_uppercase().starts_with(&pattern);
    let mut seen = Vec::new();
    let contract_descriptions = world
        .instruments
        .iter()
        .filter(|one| fits(one.listing.symbol) || fits(one.listing.long_name))
        // A future is there once, whatever its months.
        .filter(|one| {
            let kind = (one.listing.symbol, one.listing.sec_type());
            let is_new = !seen.contains(&kind);
            seen.push(kind);
            is_new
        })
        .take(MOST_SYMBOLS)
        .map(|one| {
            let has_options = world.options.iter().any(|option| option.symbol() == one.listing.symbol);
            let mut contract = one.listing.contract();
            contract.description = Some(one.listing.long_name.to_owned());
            ContractDescription {
                contract: Some(contract),
                derivative_sec_types: has_options.then(|| "OPT".to_owned()).into_iter().collect(),
            }
        })
        .collect();
    SymbolSamples { req_id: wanted.req_id, contract_descriptions }.frame()
}

/// The steps of a rule. The request has no id, so an unknown rule is nobody's error.
pub(crate) fn market_rule(wanted: &MarketRuleRequest) -> Result<Frame, Refusal> {
    let number = wanted.market_rule_id.unwrap_or_default();
    let Some(steps) = rules::steps(number) else {
        let message = format!("Error validating request.-'b' : cause - Unknown market rule {number}");
        return Err(Refusal::new(-1, 321, message));
    };
    let increment = |(low_edge, inverse): &(f64, f64)| PriceIncrement {
        low_edge: Some(*low_edge),
        increment: Some(1.0 / inverse),
    };
    let price_increments = steps.iter().map(increment).collect();
    Ok(MarketRule { market_rule_id: Some(number), price_increments }.frame())
}

//! Contracts and their details.

use ibapi::contracts as ib;
use ibkr_connect_core::types::{Contract, ContractDetails, set};
use ibkr_connect_core::{Error, ErrorKind, Result};

pub(crate) fn contract(contract: ib::Contract) -> Contract {
    Contract {
        con_id: contract.contract_id,
        symbol: contract.symbol.0,
        sec_type: contract.security_type.to_string(),
        last_trade_date_or_contract_month: contract.last_trade_date_or_contract_month,
        strike: set(contract.strike).filter(|strike| *strike != 0.0),
        right: contract.right.map(|right| right.to_string()).unwrap_or_default(),
        multiplier: contract.multiplier,
        exchange: contract.exchange.0,
        primary_exchange: contract.primary_exchange.0,
        currency: contract.currency.0,
        local_symbol: contract.local_symbol,
        trading_class: contract.trading_class,
        sec_id_type: contract.security_id_type.map(|kind| kind.to_string()).unwrap_or_default(),
        sec_id: contract.security_id,
        include_expired: contract.include_expired,
    }
}

pub(crate) fn contract_to_ibapi(contract: &Contract) -> Result<ib::Contract> {
    use ib::SecurityType;
    let unknown = |what: &str, value: &str| {
        Error::new(ErrorKind::Unsupported, format!("the contract's {what} {value:?} is none that TWS knows"))
    };
    Ok(ib::Contract {
        contract_id: contract.con_id,
        symbol: contract.symbol.as_str().into(),
        security_type: match contract.sec_type.as_str() {
            "" => SecurityType::Other(String::new()),
            name => name.parse().map_err(|_| unknown("sec_type", name))?,
        },
        last_trade_date_or_contract_month: contract.last_trade_date_or_contract_month.clone(),
        strike: contract.strike.unwrap_or_default(),
        right: match contract.right.as_str() {
            "" | "0" | "?" => None,
            "CALL" => Some(ib::OptionRight::Call),
            "PUT" => Some(ib::OptionRight::Put),
            right => Some(right.parse().map_err(|_| unknown("right", right))?),
        },
        multiplier: contract.multiplier.clone(),
        exchange: contract.exchange.as_str().into(),
        primary_exchange: contract.primary_exchange.as_str().into(),
        currency: contract.currency.as_str().into(),
        local_symbol: contract.local_symbol.clone(),
        trading_class: contract.trading_class.clone(),
        include_expired: contract.include_expired,
        security_id_type: match contract.sec_id_type.as_str() {
            "" => None,
            name => Some(name.parse().map_err(|_| unknown("sec_id_type", name))?),
        },
        security_id: contract.sec_id.clone(),
        ..ib::Contract::default()
    })
}

pub(crate) fn contract_details(details: ib::ContractDetails) -> ContractDetails {
    ContractDetails {
        contract: contract(details.contract),
        market_name: details.market_name,
        min_tick: set(details.min_tick).filter(|tick| *tick > 0.0),
        price_magnifier: details.price_magnifier,
        order_types: details.order_types,
        valid_exchanges: details.valid_exchanges,
        under_con_id: details.under_contract_id,
        under_symbol: details.under_symbol,
        under_sec_type: details.under_security_type,
        long_name: details.long_name,
        contract_month: details.contract_month,
        industry: details.industry,
        category: details.category,
        subcategory: details.subcategory,
        time_zone_id: details.time_zone_id,
        trading_hours: details.trading_hours,
        liquid_hours: details.liquid_hours,
        market_rule_ids: details.market_rule_ids,
        stock_type: details.stock_type,
        min_size: details.min_size.and_then(set),
        size_increment: details.size_increment.and_then(set),
        suggested_size_increment: details.suggested_size_increment.and_then(set),
    }
}

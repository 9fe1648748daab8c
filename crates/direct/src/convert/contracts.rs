//! Contracts and their details.

use ibapi::contracts as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    BondDetails, ComboLeg, Contract, ContractDetails, DeltaNeutralContract, EventContractDetails,
    FundDetails, IneligibilityReason, LegOpenClose, Right, number, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};
use ibkr_connect_wire::messages as wire;
use ibkr_connect_wire::times;

use super::expiry::{LastTrade, expiry_to_tws};
use super::{amount, decimal, entries, integer, said, text, whole};

pub(crate) fn contract(of: wire::Contract) -> Contract {
    let last = LastTrade::new(of.last_trade_date_or_contract_month.as_deref().unwrap_or_default());
    literal!(Contract {
        con_id: integer(of.con_id),
        symbol: text(of.symbol),
        sec_type: text(of.sec_type).into(),
        last_trade_time: last.time.to_owned(),
        last_trade_time_zone: last.zone.to_owned(),
        last_trade_date_or_contract_month: last.day.into_owned(),
        // TWS sends 0 for what has none.
        strike: of.strike.and_then(set).filter(|strike| *strike != 0.0),
        right: right(&text(of.right)),
        multiplier: of.multiplier.and_then(set).map(|multiplier| multiplier.to_string()).unwrap_or_default(),
        exchange: text(of.exchange),
        primary_exchange: text(of.primary_exch),
        currency: text(of.currency),
        local_symbol: text(of.local_symbol),
        trading_class: text(of.trading_class),
        sec_id_type: text(of.sec_id_type),
        sec_id: text(of.sec_id),
        include_expired: of.include_expired.unwrap_or_default(),
        description: text(of.description),
        issuer_id: text(of.issuer_id),
        last_trade_date: of.last_trade_date.as_deref().and_then(times::day),
        combo_legs_description: text(of.combo_legs_descrip),
        combo_legs: of.combo_legs.into_iter().map(combo_leg).collect(),
        delta_neutral_contract: of.delta_neutral_contract.map(|underlying| literal!(DeltaNeutralContract {
            con_id: integer(underlying.con_id),
            delta: underlying.delta.and_then(set),
            price: underlying.price.and_then(set),
        })),
    })
}

/// TWS writes "?" and "0" for what has no right, and words as well as letters.
fn right(word: &str) -> Right {
    match word {
        "C" | "CALL" => "C".into(),
        "P" | "PUT" => "P".into(),
        _ => Right::default(),
    }
}

fn combo_leg(of: wire::ComboLeg) -> ComboLeg {
    literal!(ComboLeg {
        con_id: integer(of.con_id),
        ratio: integer(of.ratio),
        action: text(of.action).into(),
        exchange: text(of.exchange),
        open_close: match integer(of.open_close) {
            0 => LegOpenClose::Same,
            1 => LegOpenClose::Open,
            2 => LegOpenClose::Close,
            _ => LegOpenClose::Unknown,
        },
        short_sale_slot: integer(of.short_sales_slot),
        designated_location: text(of.designated_location),
        exempt_code: integer(of.exempt_code),
        per_leg_price: of.per_leg_price.and_then(set),
    })
}

/// What ibapi would leave out without a word, it refuses.
pub(crate) fn contract_to_ibapi(contract: &Contract) -> Result<ib::Contract> {
    Ok(ib::Contract {
        contract_id: contract.con_id,
        symbol: contract.symbol.as_str().into(),
        security_type: security_type(contract.sec_type.as_str())?,
        last_trade_date_or_contract_month: expiry_to_tws(&contract.last_trade_date_or_contract_month),
        strike: contract.strike.unwrap_or_default(),
        right: match contract.right.as_str() {
            "" | "0" | "?" => None,
            "CALL" => Some(ib::OptionRight::Call),
            "PUT" => Some(ib::OptionRight::Put),
            right => Some(right.parse().map_err(|_| unknown("right", right))?),
        },
        multiplier: match contract.multiplier.parse::<f64>() {
            _ if contract.multiplier.is_empty() => String::new(),
            Ok(multiplier) if multiplier.is_finite() => contract.multiplier.clone(),
            _ => return Err(unknown("multiplier", &contract.multiplier)),
        },
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
        description: contract.description.clone(),
        issuer_id: contract.issuer_id.clone(),
        combo_legs_description: contract.combo_legs_description.clone(),
        combo_legs: contract.combo_legs.iter().map(leg_to_ibapi).collect::<Result<_>>()?,
        delta_neutral_contract: contract.delta_neutral_contract.as_ref().map(|underlying| {
            ib::DeltaNeutralContract {
                contract_id: underlying.con_id,
                delta: underlying.delta.and_then(set).unwrap_or_default(),
                price: underlying.price.and_then(set).unwrap_or_default(),
            }
        }),
        // TWS reads the day from `last_trade_date_or_contract_month`, and ibapi sends no other.
        last_trade_date: None,
    })
}

/// TWS's security type; an empty one is any.
pub(crate) fn security_type(name: &str) -> Result<ib::SecurityType> {
    match name {
        "" => Ok(ib::SecurityType::Other(String::new())),
        name => name.parse().map_err(|_| unknown("sec_type", name)),
    }
}

fn unknown(what: &str, value: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("the contract's {what} {value:?} is none that TWS knows"))
}

fn leg_to_ibapi(leg: &ComboLeg) -> Result<ib::ComboLeg> {
    Ok(ib::ComboLeg {
        contract_id: leg.con_id,
        ratio: leg.ratio,
        action: leg.action.as_str().parse().map_err(|_| unknown("action of a leg", leg.action.as_str()))?,
        exchange: leg.exchange.clone(),
        open_close: i32::from(leg.open_close).into(),
        short_sale_slot: leg.short_sale_slot,
        designated_location: leg.designated_location.clone(),
        exempt_code: leg.exempt_code,
    })
}

pub(crate) fn contract_details(details: ib::ContractDetails) -> ContractDetails {
    contract_details_of(whole(&details.market_name))
}

fn contract_details_of(data: wire::ContractData) -> ContractDetails {
    let (of, contract) =
        (data.contract_details.unwrap_or_default(), contract(data.contract.unwrap_or_default()));
    let bond = bond_details(&of, &contract);
    let fund = Some(fund_details(&of)).filter(|fund| *fund != FundDetails::default());
    let event_contract = Some(event_contract(&of)).filter(|event| *event != EventContractDetails::default());
    literal!(ContractDetails {
        bond,
        fund,
        event_contract,
        last_trade_time: contract.last_trade_time.clone(),
        contract,
        market_name: text(of.market_name),
        min_tick: decimal(of.min_tick).filter(|tick| *tick > 0.0),
        price_magnifier: of.price_magnifier.and_then(number).filter(|by| *by > 0).unwrap_or(1),
        order_types: list(of.order_types, ','),
        valid_exchanges: list(of.valid_exchanges, ','),
        under_con_id: integer(of.under_con_id),
        under_symbol: text(of.under_symbol),
        under_sec_type: text(of.under_sec_type).into(),
        long_name: text(of.long_name),
        contract_month: text(of.contract_month),
        industry: text(of.industry),
        category: text(of.category),
        subcategory: text(of.subcategory),
        time_zone_id: text(of.time_zone_id),
        trading_hours: list(of.trading_hours, ';'),
        liquid_hours: list(of.liquid_hours, ';'),
        market_rule_ids: list(of.market_rule_ids, ','),
        stock_type: text(of.stock_type),
        min_size: amount(of.min_size),
        size_increment: amount(of.size_increment),
        suggested_size_increment: amount(of.suggested_size_increment),
        real_expiration_date: text(of.real_expiration_date),
        settlement_method: text(of.settlement_method),
        ev_rule: text(of.ev_rule),
        ev_multiplier: of.ev_multiplier.and_then(set).filter(|multiplier| *multiplier != 0.0),
        agg_group: of.agg_group.and_then(number).filter(|group| *group != 0),
        min_algo_size: amount(of.min_algo_size),
        last_price_precision: decimal(of.last_price_precision),
        last_size_precision: decimal(of.last_size_precision),
        ineligibility_reasons: of.ineligibility_reason_list.into_iter().map(ineligibility_reason).collect(),
        sec_id_list: of.sec_id_list,
    })
}

/// The entries of a list, of which TWS may leave some empty.
fn list(of: Option<String>, between: char) -> Vec<String> {
    entries(of.unwrap_or_default().split(between).map(str::to_owned).collect())
}

fn ineligibility_reason(of: wire::IneligibilityReason) -> IneligibilityReason {
    literal!(IneligibilityReason { id: text(of.id), description: text(of.description) })
}

fn event_contract(of: &wire::ContractDetails) -> EventContractDetails {
    literal!(EventContractDetails {
        event_contract_1: text(of.event_contract1.clone()),
        event_contract_description_1: text(of.event_contract_description1.clone()),
        event_contract_description_2: text(of.event_contract_description2.clone()),
    })
}

fn fund_details(of: &wire::ContractDetails) -> FundDetails {
    literal!(FundDetails {
        fund_name: text(of.fund_name.clone()),
        fund_family: text(of.fund_family.clone()),
        fund_type: text(of.fund_type.clone()),
        fund_front_load: text(of.fund_front_load.clone()),
        fund_back_load: text(of.fund_back_load.clone()),
        fund_back_load_time_interval: text(of.fund_back_load_time_interval.clone()),
        fund_management_fee: text(of.fund_management_fee.clone()),
        fund_closed: of.fund_closed.unwrap_or_default(),
        fund_closed_for_new_investors: of.fund_closed_for_new_investors.unwrap_or_default(),
        fund_closed_for_new_money: of.fund_closed_for_new_money.unwrap_or_default(),
        fund_notify_amount: text(of.fund_notify_amount.clone()),
        fund_minimum_initial_purchase: text(of.fund_minimum_initial_purchase.clone()),
        fund_minimum_subsequent_purchase: text(of.fund_minimum_subsequent_purchase.clone()),
        fund_blue_sky_states: text(of.fund_blue_sky_states.clone()),
        fund_blue_sky_territories: text(of.fund_blue_sky_territories.clone()),
        fund_distribution_policy_indicator: text(of.fund_distribution_policy_indicator.clone()),
        fund_asset_type: text(of.fund_asset_type.clone()),
    })
}

/// What only a bond has, bills among them; `None` for what has nothing of it.
fn bond_details(of: &wire::ContractDetails, contract: &Contract) -> Option<BondDetails> {
    let is_bond = matches!(contract.sec_type.as_str(), "BOND" | "BILL" | "FIXED");
    let bond = literal!(BondDetails {
        cusip: text(of.cusip.clone()),
        bond_type: text(of.bond_type.clone()),
        coupon: of.coupon.and_then(set),
        coupon_type: text(of.coupon_type.clone()),
        maturity: None,
        issue_date: text(of.issue_date.clone()),
        ratings: text(of.ratings.clone()),
        desc_append: text(of.desc_append.clone()),
        callable: of.callable.unwrap_or_default(),
        putable: of.puttable.unwrap_or_default(),
        convertible: of.convertible.unwrap_or_default(),
        next_option_date: text(of.next_option_date.clone()),
        next_option_type: text(of.next_option_type.clone()),
        next_option_partial: of.next_option_partial.unwrap_or_default(),
        notes: text(of.bond_notes.clone()),
    });
    let says_something = bond != BondDetails::default();
    // TWS writes the maturity where others have their last day.
    let maturity = said(contract.last_trade_date_or_contract_month.clone());
    (is_bond || says_something).then(|| literal!(BondDetails { maturity, ..bond }))
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::types::{Expiry, LegAction, OptionRight, SecurityId};
    use jiff::civil::date;

    use super::*;

    fn there_and_back(built: &Contract) -> Contract {
        contract(encoded(contract_to_ibapi(built).unwrap()))
    }

    /// What ibapi puts on the wire.
    fn encoded(of: ib::Contract) -> wire::Contract {
        wire::Contract {
            con_id: Some(of.contract_id),
            symbol: Some(of.symbol.0),
            sec_type: Some(of.security_type.to_string()),
            last_trade_date_or_contract_month: Some(of.last_trade_date_or_contract_month),
            strike: Some(of.strike),
            right: of.right.map(|right| right.to_string()),
            multiplier: of.multiplier.parse().ok(),
            exchange: Some(of.exchange.0),
            primary_exch: Some(of.primary_exchange.0),
            currency: Some(of.currency.0),
            local_symbol: Some(of.local_symbol),
            trading_class: Some(of.trading_class),
            sec_id_type: of.security_id_type.map(|kind| kind.to_string()),
            sec_id: Some(of.security_id),
            description: Some(of.description),
            issuer_id: Some(of.issuer_id),
            include_expired: Some(of.include_expired),
            combo_legs_descrip: Some(of.combo_legs_description),
            combo_legs: of.combo_legs.into_iter().map(encoded_leg).collect(),
            delta_neutral_contract: of.delta_neutral_contract.map(|underlying| wire::DeltaNeutralContract {
                con_id: Some(underlying.contract_id),
                delta: Some(underlying.delta),
                price: Some(underlying.price),
            }),
            last_trade_date: None,
        }
    }

    fn encoded_leg(of: ib::ComboLeg) -> wire::ComboLeg {
        wire::ComboLeg {
            con_id: Some(of.contract_id),
            ratio: Some(of.ratio),
            action: Some(of.action.to_string()),
            exchange: Some(of.exchange),
            open_close: Some(match of.open_close {
                ib::ComboLegOpenClose::Same => 0,
                ib::ComboLegOpenClose::Open => 1,
                ib::ComboLegOpenClose::Close => 2,
                ib::ComboLegOpenClose::Unknown => 3,
            }),
            short_sales_slot: Some(of.short_sale_slot),
            designated_location: Some(of.designated_location),
            exempt_code: Some(of.exempt_code),
            per_leg_price: None,
        }
    }

    #[test]
    fn what_the_builders_build_survives_the_way_through_ibapi() {
        let leg = literal!(ComboLeg {
            open_close: LegOpenClose::Open,
            short_sale_slot: 2,
            designated_location: "DTC 0123".to_owned(),
            exempt_code: 1,
            ..ComboLeg::sell(8_314, 2)
        });
        let short = literal!(ComboLeg { action: LegAction::SellShort, ..leg.clone() });
        let underlying =
            literal!(DeltaNeutralContract { con_id: 8_314, delta: Some(0.5), price: Some(215.25) });
        for built in [
            Contract::stock("SAP").on("IBIS").in_currency("EUR"),
            Contract::option("AAPL", date(2026, 12, 18), OptionRight::Put, 250.0),
            Contract::future("ES", Expiry::month(2027, 12).unwrap(), "CME"),
            Contract::futures("ES", "CME"),
            Contract::forex("EUR", "USD"),
            Contract::index("SPX", "CBOE"),
            Contract::crypto("BTC", "PAXOS"),
            Contract::bond(&SecurityId::cusip("912810RN0").unwrap()),
            Contract::combo("IBM", [ComboLeg::buy(265_598, 1), leg, short]),
            literal!(Contract {
                delta_neutral_contract: Some(underlying),
                ..Contract::combo("IBM", [ComboLeg::buy(1, 1)])
            }),
            Contract::with_con_id(265_598),
        ] {
            assert_eq!(there_and_back(&built), built);
        }
    }

    #[test]
    fn every_field_survives_but_the_day_that_tws_does_not_take() {
        let text = |text: &str| text.to_owned();
        let whole = literal!(Contract {
            con_id: -7,
            symbol: text("Ä B"),
            sec_type: "BAG".into(),
            last_trade_date_or_contract_month: text("20261218 16:00:00 US/Central"),
            strike: Some(0.5),
            right: "P".into(),
            multiplier: text("0.1"),
            exchange: text("SMART"),
            primary_exchange: text("ARCA"),
            currency: text("CNH"),
            local_symbol: text("X  261218P00000500"),
            trading_class: text("XW"),
            sec_id_type: text("FIGI"),
            sec_id: text("BBG000B9XRY4"),
            include_expired: true,
            description: text("WHOLE"),
            issuer_id: text("e1453318"),
            last_trade_date: Some(date(2026, 12, 18)),
            last_trade_time: text("16:00:00"),
            last_trade_time_zone: text("US/Central"),
            combo_legs_description: text("1|1"),
            combo_legs: vec![literal!(ComboLeg {
                open_close: LegOpenClose::Unknown,
                ..ComboLeg::sell(-3, 1)
            })],
            delta_neutral_contract: Some(literal!(DeltaNeutralContract {
                con_id: 9,
                delta: Some(-0.5),
                price: Some(1.0),
            })),
        });
        let sent = literal!(Contract {
            last_trade_date: None,
            last_trade_date_or_contract_month: text("20261218"),
            last_trade_time: String::new(),
            last_trade_time_zone: String::new(),
            ..whole.clone()
        });
        assert_eq!(there_and_back(&whole), sent);
        let sent = contract_to_ibapi(&Contract::default()).unwrap();
        assert_eq!(contract(encoded(sent)), Contract::default());
        let known = wire::Contract { last_trade_date: Some("20261218".to_owned()), ..Default::default() };
        assert_eq!(contract(known).last_trade_date, Some(date(2026, 12, 18)));
    }

    #[test]
    fn only_options_on_futures_have_strikes_below_zero() {
        let spread =
            literal!(Contract { sec_type: "FOP".into(), strike: Some(-0.25), ..Contract::default() });
        assert_eq!(there_and_back(&spread).strike, Some(-0.25));
    }

    #[test]
    fn what_ibapi_would_leave_out_is_refused() {
        let option = |strike| Contract::option("AAPL", date(2026, 12, 18), OptionRight::Call, strike);
        for (wrong, named) in [
            (literal!(Contract { multiplier: "a lot".to_owned(), ..option(1.0) }), "multiplier \"a lot\""),
            (literal!(Contract { right: "X".into(), ..option(1.0) }), "right \"X\""),
        ] {
            let error = contract_to_ibapi(&wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(named), "{error}");
        }
    }

    fn details(sec_type: &str, of: wire::ContractDetails) -> ContractDetails {
        let contract = wire::Contract {
            sec_type: Some(sec_type.to_owned()),
            last_trade_date_or_contract_month: Some("20450815".to_owned()),
            ..Default::default()
        };
        contract_details_of(wire::ContractData {
            req_id: Some(7),
            contract: Some(contract),
            contract_details: Some(of),
        })
    }

    #[test]
    fn what_carries_something_of_a_bond_has_bond_details() {
        let coupon = || wire::ContractDetails { coupon: Some(2.875), ..Default::default() };
        for sec_type in ["BOND", "BILL", "STK"] {
            let bond = details(sec_type, coupon()).bond.unwrap();
            assert_eq!((bond.coupon, bond.maturity.as_deref()), (Some(2.875), Some("20450815")));
        }
        assert_eq!(details("BILL", wire::ContractDetails::default()).bond.unwrap().coupon, None);
        assert_eq!(details("STK", wire::ContractDetails::default()).bond, None);
    }

    #[test]
    fn rights_in_any_word_are_told_or_none() {
        let told = |word: &str| {
            contract(wire::Contract { right: Some(word.to_owned()), ..Default::default() }).right.to_string()
        };
        assert_eq!([told("C"), told("CALL"), told("P"), told("PUT")], ["C", "C", "P", "P"]);
        for word in ["", "?", "0", "X", "call me"] {
            assert_eq!(told(word), "", "{word}");
        }
    }

    #[test]
    fn lists_have_no_empty_entries_and_prices_are_magnified_by_one() {
        let text = |text: &str| Some(text.to_owned());
        let of = wire::ContractDetails {
            order_types: text("LMT,,MKT,"),
            trading_hours: text(";20261125:0930-20261125:1600;"),
            market_rule_ids: text(""),
            ..Default::default()
        };
        let details = details("STK", of);
        assert_eq!(details.order_types, ["LMT", "MKT"]);
        assert_eq!(details.trading_hours, ["20261125:0930-20261125:1600"]);
        assert!(details.market_rule_ids.is_empty());
        assert_eq!(details.price_magnifier, 1);
    }
}

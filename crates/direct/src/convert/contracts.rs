//! Contracts and their details.

use ibapi::contracts as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    BondDetails, ComboLeg, Contract, ContractDetails, DeltaNeutralContract, FundDetails, IneligibilityReason,
    LegAction, LegOpenClose, number, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};

use super::expiry::{LastTrade, expiry_to_tws};
use super::{date, entries, or_zero, said, size};

pub(crate) fn contract(contract: ib::Contract) -> Contract {
    let last = LastTrade::new(&contract.last_trade_date_or_contract_month);
    literal!(Contract {
        con_id: or_zero(contract.contract_id),
        symbol: contract.symbol.0,
        sec_type: contract.security_type.to_string().into(),
        last_trade_time: last.time.to_owned(),
        last_trade_time_zone: last.zone.to_owned(),
        last_trade_date_or_contract_month: last.day.into_owned(),
        strike: set(contract.strike).filter(|strike| *strike != 0.0),
        right: contract.right.map(|right| right.to_string().into()).unwrap_or_default(),
        multiplier: contract.multiplier,
        exchange: contract.exchange.0,
        primary_exchange: contract.primary_exchange.0,
        currency: contract.currency.0,
        local_symbol: contract.local_symbol,
        trading_class: contract.trading_class,
        sec_id_type: contract.security_id_type.map(|kind| kind.to_string()).unwrap_or_default(),
        sec_id: contract.security_id,
        include_expired: contract.include_expired,
        description: contract.description,
        issuer_id: contract.issuer_id,
        last_trade_date: contract.last_trade_date.and_then(|day| date(day).ok()),
        combo_legs_description: contract.combo_legs_description,
        combo_legs: contract.combo_legs.into_iter().map(combo_leg).collect(),
        delta_neutral_contract: contract.delta_neutral_contract.map(|underlying| literal!(
            DeltaNeutralContract {
                con_id: underlying.contract_id,
                delta: set(underlying.delta),
                price: set(underlying.price),
            }
        )),
    })
}

fn combo_leg(leg: ib::ComboLeg) -> ComboLeg {
    literal!(ComboLeg {
        con_id: or_zero(leg.contract_id),
        ratio: or_zero(leg.ratio),
        action: match leg.action {
            ib::LegAction::Buy => LegAction::Buy,
            ib::LegAction::Sell => LegAction::Sell,
            ib::LegAction::SellShort => LegAction::SellShort,
        },
        exchange: leg.exchange,
        open_close: match leg.open_close {
            ib::ComboLegOpenClose::Same => LegOpenClose::Same,
            ib::ComboLegOpenClose::Open => LegOpenClose::Open,
            ib::ComboLegOpenClose::Close => LegOpenClose::Close,
            ib::ComboLegOpenClose::Unknown => LegOpenClose::Unknown,
        },
        short_sale_slot: or_zero(leg.short_sale_slot),
        designated_location: leg.designated_location,
        exempt_code: or_zero(leg.exempt_code),
        per_leg_price: None,
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
    let bond = bond_details(&details);
    let fund = Some(fund_details(&details)).filter(|fund| *fund != FundDetails::default());
    let described = contract(details.contract);
    literal!(ContractDetails {
        bond,
        fund,
        event_contract: None,
        last_trade_time: said(described.last_trade_time.clone()).unwrap_or(details.last_trade_time),
        contract: described,
        market_name: details.market_name,
        min_tick: set(details.min_tick).filter(|tick| *tick > 0.0),
        price_magnifier: number(details.price_magnifier).filter(|by| *by > 0).unwrap_or(1),
        order_types: entries(details.order_types),
        valid_exchanges: entries(details.valid_exchanges),
        under_con_id: or_zero(details.under_contract_id),
        under_symbol: details.under_symbol,
        under_sec_type: details.under_security_type.into(),
        long_name: details.long_name,
        contract_month: details.contract_month,
        industry: details.industry,
        category: details.category,
        subcategory: details.subcategory,
        time_zone_id: details.time_zone_id,
        trading_hours: entries(details.trading_hours),
        liquid_hours: entries(details.liquid_hours),
        market_rule_ids: entries(details.market_rule_ids),
        stock_type: details.stock_type,
        min_size: details.min_size.and_then(size),
        size_increment: details.size_increment.and_then(size),
        suggested_size_increment: details.suggested_size_increment.and_then(size),
        real_expiration_date: details.real_expiration_date,
        settlement_method: details.settlement_method,
        ev_rule: details.ev_rule,
        ev_multiplier: set(details.ev_multiplier).filter(|multiplier| *multiplier != 0.0),
        agg_group: number(details.agg_group).filter(|group| *group != 0),
        min_algo_size: None,
        last_price_precision: None,
        last_size_precision: None,
        ineligibility_reasons: details.ineligibility_reasons.into_iter().map(ineligibility_reason).collect(),
        sec_id_list: details.sec_id_list.into_iter().map(|id| (id.tag, id.value)).collect(),
    })
}

fn ineligibility_reason(reason: ib::IneligibilityReason) -> IneligibilityReason {
    literal!(IneligibilityReason { id: reason.id, description: reason.description })
}

fn fund_details(details: &ib::ContractDetails) -> FundDetails {
    literal!(FundDetails {
        fund_name: details.fund_name.clone(),
        fund_family: details.fund_family.clone(),
        fund_type: details.fund_type.clone(),
        fund_front_load: details.fund_front_load.clone(),
        fund_back_load: details.fund_back_load.clone(),
        fund_back_load_time_interval: details.fund_back_load_time_interval.clone(),
        fund_management_fee: details.fund_management_fee.clone(),
        fund_closed: details.fund_closed,
        fund_closed_for_new_investors: details.fund_closed_for_new_investors,
        fund_closed_for_new_money: details.fund_closed_for_new_money,
        fund_notify_amount: details.fund_notify_amount.clone(),
        fund_minimum_initial_purchase: details.fund_minimum_initial_purchase.clone(),
        fund_minimum_subsequent_purchase: details.fund_subsequent_minimum_purchase.clone(),
        fund_blue_sky_states: details.fund_blue_sky_states.clone(),
        fund_blue_sky_territories: details.fund_blue_sky_territories.clone(),
        fund_distribution_policy_indicator: fund_policy(&details.fund_distribution_policy_indicator)
            .to_owned(),
        fund_asset_type: fund_asset_type(&details.fund_asset_type).to_owned(),
    })
}

/// TWS's letter, of which ibapi makes a name.
fn fund_policy(policy: &ib::FundDistributionPolicyIndicator) -> &'static str {
    use ib::FundDistributionPolicyIndicator as Ib;
    match policy {
        Ib::None => "",
        Ib::AccumulationFund => "N",
        Ib::IncomeFund => "Y",
    }
}

/// TWS's number, of which ibapi makes a name.
fn fund_asset_type(kind: &ib::FundAssetType) -> &'static str {
    use ib::FundAssetType as Ib;
    match kind {
        Ib::None => "",
        Ib::Others => "000",
        Ib::MoneyMarket => "001",
        Ib::FixedIncome => "002",
        Ib::MultiAsset => "003",
        Ib::Equity => "004",
        Ib::Sector => "005",
        Ib::Guaranteed => "006",
        Ib::Alternative => "007",
    }
}

/// What a bond has, of whatever has it: bills and notes are bonds under other names.
fn bond_details(details: &ib::ContractDetails) -> Option<BondDetails> {
    let bond = bond_fields(details);
    let is_bond = matches!(details.contract.security_type.to_string().as_str(), "BOND" | "BILL");
    (is_bond || bond != BondDetails::default()).then(|| {
        // TWS writes the maturity where others have their last day.
        let last = LastTrade::new(&details.contract.last_trade_date_or_contract_month);
        let maturity = said(last.day.into_owned()).or_else(|| bond.maturity.clone());
        literal!(BondDetails { maturity, ..bond })
    })
}

fn bond_fields(details: &ib::ContractDetails) -> BondDetails {
    literal!(BondDetails {
        cusip: details.cusip.clone(),
        bond_type: details.bond_type.clone(),
        coupon: set(details.coupon).filter(|coupon| *coupon != 0.0),
        coupon_type: details.coupon_type.clone(),
        maturity: said(details.maturity.clone()),
        issue_date: details.issue_date.clone(),
        ratings: details.ratings.clone(),
        desc_append: details.desc_append.clone(),
        callable: details.callable,
        putable: details.putable,
        convertible: details.convertible,
        next_option_date: details.next_option_date.clone(),
        next_option_type: details.next_option_type.clone(),
        next_option_partial: details.next_option_partial,
        notes: details.notes.clone(),
    })
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::types::{Expiry, OptionRight, SecurityId};
    use jiff::civil::date;

    use super::*;

    fn there_and_back(built: &Contract) -> Contract {
        contract(contract_to_ibapi(built).unwrap())
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
        assert_eq!(contract(sent), Contract::default());
        let known = ib::Contract {
            last_trade_date: time::Date::from_ordinal_date(2026, 352).ok(),
            ..ib::Contract::default()
        };
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

    #[test]
    fn whatever_has_a_bonds_fields_is_a_bond() {
        let details = |sec_type: &str, cusip: &str| {
            let contract = ib::Contract {
                security_type: sec_type.parse().unwrap(),
                last_trade_date_or_contract_month: "20450815 10:00:00 US/Eastern".to_owned(),
                ..ib::Contract::default()
            };
            let cusip = cusip.to_owned();
            contract_details(ib::ContractDetails { contract, cusip, ..ib::ContractDetails::default() })
        };
        for (sec_type, cusip) in [("BOND", ""), ("BILL", ""), ("WAR", "912810RN0")] {
            let told = details(sec_type, cusip);
            let bond = told.bond.unwrap();
            assert_eq!((bond.coupon, bond.maturity.as_deref()), (None, Some("20450815")), "{sec_type}");
            assert_eq!((told.last_trade_time.as_str(), bond.cusip.as_str()), ("10:00:00", cusip));
            assert_eq!(told.contract.last_trade_time_zone, "US/Eastern");
        }
        assert_eq!(details("STK", "").bond, None);
        let bare = contract_details(ib::ContractDetails {
            contract: ib::Contract { security_type: ib::SecurityType::Bond, ..ib::Contract::default() },
            coupon: 2.875,
            sec_id_list: vec![ib::TagValue { tag: "ISIN".to_owned(), value: "US912810RN00".to_owned() }],
            ..ib::ContractDetails::default()
        });
        assert_eq!(bare.sec_id_list["ISIN"], "US912810RN00");
        let bond = bare.bond.unwrap();
        assert_eq!((bond.coupon, bond.maturity), (Some(2.875), None));
    }

    #[test]
    fn what_details_do_not_say_is_none_and_lists_have_no_empty_entries() {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        for unset in [0, i32::MAX, -1] {
            let details = contract_details(ib::ContractDetails {
                price_magnifier: unset,
                order_types: list("LMT,"),
                trading_hours: list(""),
                min_size: Some(-1.0),
                ..ib::ContractDetails::default()
            });
            assert_eq!((details.price_magnifier, details.min_size), (1, None));
            assert_eq!((details.order_types, details.trading_hours), (vec!["LMT".to_owned()], Vec::new()));
            assert_eq!((details.fund, details.event_contract, details.agg_group), (None, None, None));
        }
    }
}

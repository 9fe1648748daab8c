use jiff::Timestamp;
use jiff::civil::date;

use super::Params;
use crate::types::*;

fn stock() -> Contract {
    Contract::stock("AAPL")
}

fn option(strike: f64) -> Contract {
    Contract::option("AAPL", date(2026, 12, 18), OptionRight::Call, strike)
}

fn combo(con_id: i32, ratio: i32) -> Contract {
    Contract::combo("IBM", [ComboLeg::buy(1, 1), ComboLeg::sell(con_id, ratio)])
}

#[track_caller]
fn assert_wrong(params: &impl Params, named: &str) {
    let problem = params.check().expect_err(named);
    assert!(problem.contains(named), "{problem}");
}

#[test]
fn a_contract_names_something() {
    assert_wrong(&Contract::default(), "the contract is empty");
    assert_wrong(&Contract { sec_type: "STK".into(), ..Contract::default() }, "expected at least its con_id");
    for right in [
        Contract { con_id: 265_598, ..Contract::default() },
        Contract { local_symbol: "ESZ6".to_owned(), ..Contract::default() },
        Contract { trading_class: "ES".to_owned(), sec_type: "FUT".into(), ..Contract::default() },
        Contract { sec_id: "US0378331005".to_owned(), sec_id_type: "ISIN".to_owned(), ..Contract::default() },
        combo(7, 1),
    ] {
        right.check().unwrap();
    }
}

#[test]
fn a_strike_is_a_price() {
    for (strike, named) in
        [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (0.0, "strike 0 "), (-5.0, "strike -5 ")]
    {
        assert_wrong(&option(strike), named);
    }
    assert_wrong(&option(f64::MAX), "is not a price");
    option(0.5).check().unwrap();
    Contract { sec_type: "FOP".into(), ..option(-0.25) }.check().unwrap();
}

#[test]
fn a_leg_is_bought_or_sold() {
    let with_action = |action: &str| {
        let leg = ComboLeg { action: action.into(), ..ComboLeg::buy(7, 1) };
        Contract::combo("IBM", [ComboLeg::buy(1, 1), leg])
    };
    for action in ["BUY", "SELL", "SSHORT"] {
        with_action(action).check().unwrap();
    }
    for wrong in ["", "buy", "SLONG"] {
        assert_wrong(&with_action(wrong), &format!("leg 2 of the combination has the action {wrong:?}"));
    }
}

#[test]
fn only_a_combination_has_legs() {
    assert_wrong(&combo(0, 1), "leg 2 of the combination has the contract id 0");
    assert_wrong(&combo(7, 0), "the ratio 0");
    assert_wrong(&Contract::combo("IBM", []), "has no legs");
    assert_wrong(&Contract { sec_type: "STK".into(), ..combo(7, 1) }, "sec_type \"STK\" has no legs");
    Contract { con_id: 28_812_380, ..Contract::combo("IBM", []) }.check().unwrap();
    let underlying = DeltaNeutralContract { con_id: 9, delta: Some(f64::NAN), price: None };
    assert_wrong(
        &Contract { delta_neutral_contract: Some(underlying), ..combo(7, 1) },
        "the delta of delta_neutral_contract is NaN",
    );
}

#[test]
fn generic_ticks_are_ids() {
    let with = |ids: &[&str]| MarketDataParams {
        contract: stock(),
        generic_ticks: ids.iter().map(|&id| id.to_owned()).collect(),
        ..MarketDataParams::default()
    };
    with(&["233", "292:BRFG", "mdoff"]).check().unwrap();
    for wrong in ["", "RTVolume", "233,236", " 233", ":BRFG"] {
        assert_wrong(&with(&["233", wrong]), &format!("{wrong:?} is not a generic tick"));
    }
    MarketDataParams { snapshot: true, ..with(&[]) }.check().unwrap();
    assert_wrong(&MarketDataParams { snapshot: true, ..with(&["233"]) }, "leave generic_ticks out");
}

#[test]
fn ticks_are_asked_for_within_limits() {
    let past = |number_of_ticks| HistoricalTicksParams {
        contract: stock(),
        number_of_ticks,
        ..HistoricalTicksParams::default()
    };
    past(1000).check().unwrap();
    assert_wrong(&past(0), "number_of_ticks is 0; TWS takes 1 to 1000");
    assert_wrong(&past(1001), "number_of_ticks is 1001");
    let both = (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::UNIX_EPOCH));
    assert_wrong(&HistoricalTicksParams { start: both.0, end: both.1, ..past(1) }, "leave one out");
    let live = |number_of_ticks| TickByTickParams {
        contract: stock(),
        number_of_ticks,
        ..TickByTickParams::default()
    };
    live(0).check().unwrap();
    assert_wrong(&live(1001), "TWS takes 0 to 1000");
}

#[test]
fn an_option_is_computed_with_positive_numbers() {
    for wrong in [f64::NAN, f64::INFINITY, f64::MAX, 0.0, -0.25] {
        let price = CalculateOptionPriceParams { contract: option(1.0), volatility: wrong, under_price: 1.0 };
        assert_wrong(&price, &format!("the volatility {wrong} can't be computed with"));
        let implied =
            CalculateImpliedVolatilityParams { contract: option(1.0), option_price: 1.0, under_price: wrong };
        assert_wrong(&implied, &format!("the under_price {wrong} can't"));
    }
}

#[test]
fn what_must_be_given_is_named() {
    assert_wrong(&MatchingSymbolsParams::default(), "pattern is empty; expected the beginning");
    assert_wrong(&OptionChainParams::default(), "underlying_symbol is empty; expected e.g. \"AAPL\"");
    assert_wrong(&SmartComponentsParams::default(), "bbo_exchange is empty");
    assert_wrong(&NewsArticleParams::default(), "provider_code is empty");
    assert_wrong(&BroadTapeNewsParams::default(), "one that news_providers lists");
    assert_wrong(&PnlParams::default(), "account is empty; expected one that managed_accounts lists");
    assert_wrong(&PnlSingleParams { account: "DU1".to_owned(), ..Default::default() }, "con_id is 0");
    assert_wrong(&ScannerParams::default(), "scan_code is empty");
    AccountSummaryParams::default().check().unwrap();
    assert_wrong(&AccountSummaryParams { tags: Vec::new(), ..Default::default() }, "tags is empty");
    assert_wrong(&HistoricalBarsParams::default(), "the contract is empty");
}

#[test]
fn a_filter_of_a_scan_is_a_number() {
    let scan = ScannerParams { scan_code: "TOP_PERC_GAIN".to_owned(), ..ScannerParams::default() };
    scan.check().unwrap();
    assert_wrong(&ScannerParams { below_price: Some(f64::INFINITY), ..scan }, "below_price is inf");
}

#[test]
fn providers_are_named_one_by_one() {
    let news = |codes: &[&str], total_results| HistoricalNewsParams {
        con_id: 265_598,
        provider_codes: codes.iter().map(|&code| code.to_owned()).collect(),
        total_results,
        ..HistoricalNewsParams::default()
    };
    news(&["BRFG", "DJNL"], 254).check().unwrap();
    assert_wrong(&news(&[], 1), "provider_codes is empty; news_providers lists");
    assert_wrong(&news(&["BRFG+DJNL"], 1), "\"BRFG+DJNL\" in provider_codes is not the code of one");
    assert_wrong(&news(&["BRFG"], 0), "total_results is 0; it can be 1 to 254");
    assert_wrong(&news(&["BRFG"], 255), "total_results is 255");
    assert_wrong(&HistoricalNewsParams { con_id: 0, ..news(&["BRFG"], 1) }, "con_id is 0");
}

#[test]
fn corporate_events_are_of_a_contract_or_of_a_filter() {
    let (con_id, filter) = (Some(265_598), Some("{}".to_owned()));
    let neither = WshEventsParams::default();
    assert_wrong(&neither, "neither con_id nor filter");
    WshEventsParams { con_id, ..neither.clone() }.check().unwrap();
    assert_wrong(&WshEventsParams { con_id, filter: filter.clone(), ..neither }, "take");
    let start_date = Some(date(2026, 1, 2));
    assert_wrong(&WshEventsParams { filter, start_date, ..neither }, "leave out start_date");
}

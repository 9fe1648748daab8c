//! What must be true of an operation's parameters before anybody is asked: said at once, and the same in every mode. What
//! only TWS can know, such as which exchange has which symbol, is TWS's to refuse.

use std::fmt::Display;

use crate::types::{
    AccountSummaryParams, AccountUpdatesMultiParams, AccountUpdatesParams, AdvisorConfigParams,
    BroadTapeNewsParams, CalculateImpliedVolatilityParams, CalculateOptionPriceParams, ComboLeg,
    CompletedOrdersParams, Contract, ContractNewsParams, DisplayGroupEventsParams, ExecutionsParams,
    HeadTimestampParams, HistogramParams, HistoricalBarUpdatesParams, HistoricalBarsParams,
    HistoricalNewsParams, HistoricalScheduleParams, HistoricalTicksParams, LegAction, MarketDataParams,
    MarketDepthParams, MarketRuleParams, MatchingSymbolsParams, NewsArticleParams, OptionChainParams,
    PnlParams, PnlSingleParams, PositionsMultiParams, QuoteSnapshotParams, RealTimeBarsParams, ScannerParams,
    SecType, SmartComponentsParams, TickByTickParams, WshEventsParams, set,
};

/// What is wrong, with the field, its value and the way out.
pub(crate) type Checked = Result<(), String>;

/// The parameters of a row of the table.
pub(crate) trait Params {
    /// The fields that must be given: their defaults are refused.
    #[cfg_attr(not(feature = "schema"), allow(dead_code, reason = "only the schema says it"))]
    const REQUIRED: &'static [&'static str];

    /// Rejects parameters that TWS would answer misleadingly, with another question's data, or not at all.
    fn check(&self) -> Checked;
}

/// TWS's limit for one request.
const MOST_TICKS: u32 = 1000;

/// Parameters that are right, or that TWS refuses in plain words.
macro_rules! always_right {
    ($($Params:ident)+) => {
        $( impl Params for $Params {
            const REQUIRED: &'static [&'static str] = &[];

            fn check(&self) -> Checked {
                Ok(())
            }
        } )+
    };
}

/// Parameters that are as right as their contract.
macro_rules! right_with_contract {
    ($($Params:ident)+) => {
        $( impl Params for $Params {
            const REQUIRED: &'static [&'static str] = &["contract"];

            fn check(&self) -> Checked {
                self.contract.check()
            }
        } )+
    };
}

always_right! {
    AccountUpdatesMultiParams AccountUpdatesParams AdvisorConfigParams CompletedOrdersParams
    DisplayGroupEventsParams ExecutionsParams MarketRuleParams PositionsMultiParams
}

right_with_contract! {
    HeadTimestampParams HistogramParams HistoricalBarUpdatesParams HistoricalBarsParams HistoricalScheduleParams
    MarketDepthParams QuoteSnapshotParams RealTimeBarsParams
}

impl Params for Contract {
    const REQUIRED: &'static [&'static str] = &[];

    fn check(&self) -> Checked {
        let names = [&self.symbol, &self.local_symbol, &self.trading_class, &self.sec_id, &self.issuer_id];
        let is_named = self.con_id != 0 || names.iter().any(|name| !name.is_empty());
        if !is_named && self.combo_legs.is_empty() {
            return Err("the contract is empty; expected at least its con_id, or a symbol".to_owned());
        }
        check_strike(self)?;
        check_legs(self)?;
        let Some(underlying) = &self.delta_neutral_contract else { return Ok(()) };
        check_finite("the delta of delta_neutral_contract", underlying.delta)?;
        check_finite("the price of delta_neutral_contract", underlying.price)
    }
}

/// Options on futures' spreads have strikes below zero, those on anything else have none.
fn check_strike(contract: &Contract) -> Checked {
    let Some(strike) = contract.strike else { return Ok(()) };
    let is_price = set(strike)
        .is_some_and(|strike| strike > 0.0 || strike < 0.0 && contract.sec_type == SecType::FutureOption);
    if is_price {
        return Ok(());
    }
    Err(format!("the contract's strike {strike} is not a price; expected a number above 0, e.g. 250"))
}

/// A combination has legs, or an id that stands for them; nothing else has legs.
fn check_legs(contract: &Contract) -> Checked {
    let Contract { sec_type, combo_legs, .. } = contract;
    match (*sec_type == SecType::Combo, combo_legs.is_empty()) {
        (true, true) if contract.con_id == 0 => {
            Err("the combination (BAG) has no legs; expected at least one in combo_legs".to_owned())
        }
        (false, false) => Err(format!(
            "a contract of sec_type {:?} has no legs; expected \"BAG\", or empty combo_legs",
            sec_type.as_str()
        )),
        _ => (1..).zip(combo_legs).try_for_each(|(place, leg)| check_leg(place, leg)),
    }
}

fn check_leg(place: usize, leg: &ComboLeg) -> Checked {
    let &ComboLeg { con_id, ratio, .. } = leg;
    if con_id == 0 || ratio < 1 {
        return Err(format!(
            "leg {place} of the combination has the contract id {con_id} and the ratio {ratio}; expected a contract id as \
             contract_details gives it, and a ratio of at least 1"
        ));
    }
    match &leg.action {
        LegAction::Buy | LegAction::Sell | LegAction::SellShort => Ok(()),
        other => Err(format!(
            "leg {place} of the combination has the action {:?}; expected BUY, SELL or SSHORT",
            other.as_str()
        )),
    }
}

impl Params for MarketDataParams {
    const REQUIRED: &'static [&'static str] = &["contract"];

    fn check(&self) -> Checked {
        self.contract.check()?;
        if (self.snapshot || self.regulatory_snapshot) && !self.generic_ticks.is_empty() {
            return Err("a snapshot has no generic ticks; leave generic_ticks out".to_owned());
        }
        match self.generic_ticks.iter().find(|id| !is_generic_tick(id)) {
            Some(id) => Err(format!(
                "{id:?} is not a generic tick; expected an id such as \"233\", one per element of generic_ticks"
            )),
            None => Ok(()),
        }
    }
}

/// `233`, `292:BRFG`, or `mdoff`. Which of them a contract has, TWS knows.
fn is_generic_tick(id: &str) -> bool {
    let number = id.split_once(':').map_or(id, |(number, _)| number);
    id == "mdoff" || !id.contains(',') && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

impl Params for HistoricalTicksParams {
    const REQUIRED: &'static [&'static str] = &["contract"];

    fn check(&self) -> Checked {
        self.contract.check()?;
        if let (Some(start), Some(end)) = (self.start, self.end) {
            return Err(format!("start {start} and end {end}, but TWS takes one of them; leave one out"));
        }
        check_number_of_ticks(1, self.number_of_ticks)
    }
}

impl Params for TickByTickParams {
    const REQUIRED: &'static [&'static str] = &["contract"];

    fn check(&self) -> Checked {
        self.contract.check()?;
        check_number_of_ticks(0, self.number_of_ticks)
    }
}

fn check_number_of_ticks(least: u32, number: u32) -> Checked {
    if (least..=MOST_TICKS).contains(&number) {
        return Ok(());
    }
    Err(format!("number_of_ticks is {number}; TWS takes {least} to {MOST_TICKS}"))
}

impl Params for CalculateOptionPriceParams {
    const REQUIRED: &'static [&'static str] = &["contract", "volatility", "under_price"];

    fn check(&self) -> Checked {
        self.contract.check()?;
        check_positive("volatility", self.volatility)?;
        check_positive("under_price", self.under_price)
    }
}

impl Params for CalculateImpliedVolatilityParams {
    const REQUIRED: &'static [&'static str] = &["contract", "option_price", "under_price"];

    fn check(&self) -> Checked {
        self.contract.check()?;
        check_positive("option_price", self.option_price)?;
        check_positive("under_price", self.under_price)
    }
}

/// TWS has no answer to what is not a positive number, and never says so.
fn check_positive(field: &str, value: f64) -> Checked {
    if set(value).is_some_and(|value| value > 0.0) {
        return Ok(());
    }
    Err(format!("the {field} {value} can't be computed with; expected a positive number"))
}

impl Params for OptionChainParams {
    const REQUIRED: &'static [&'static str] = &["underlying_symbol"];

    fn check(&self) -> Checked {
        check_given("underlying_symbol", &self.underlying_symbol, "e.g. \"AAPL\"")
    }
}

impl Params for MatchingSymbolsParams {
    const REQUIRED: &'static [&'static str] = &["pattern"];

    fn check(&self) -> Checked {
        check_given("pattern", &self.pattern, "the beginning of a symbol or a name")
    }
}

impl Params for SmartComponentsParams {
    const REQUIRED: &'static [&'static str] = &["bbo_exchange"];

    fn check(&self) -> Checked {
        check_given("bbo_exchange", &self.bbo_exchange, "the key in an event of market_data, e.g. \"9c0001\"")
    }
}

impl Params for AccountSummaryParams {
    const REQUIRED: &'static [&'static str] = &[];

    fn check(&self) -> Checked {
        check_given("group", &self.group, "\"All\", or an account group")?;
        if self.tags.is_empty() {
            return Err("tags is empty; name at least one, or leave tags out for the usual ones".to_owned());
        }
        Ok(())
    }
}

impl Params for PnlParams {
    const REQUIRED: &'static [&'static str] = &["account"];

    fn check(&self) -> Checked {
        check_given("account", &self.account, "one that managed_accounts lists")
    }
}

impl Params for PnlSingleParams {
    const REQUIRED: &'static [&'static str] = &["account", "con_id"];

    fn check(&self) -> Checked {
        check_given("account", &self.account, "one that managed_accounts lists")?;
        check_con_id(self.con_id)
    }
}

impl Params for NewsArticleParams {
    const REQUIRED: &'static [&'static str] = &["provider_code", "article_id"];

    fn check(&self) -> Checked {
        check_given("provider_code", &self.provider_code, "as the headline has it")?;
        check_given("article_id", &self.article_id, "as the headline has it")
    }
}

impl Params for HistoricalNewsParams {
    const REQUIRED: &'static [&'static str] = &["con_id", "provider_codes"];

    fn check(&self) -> Checked {
        check_con_id(self.con_id)?;
        check_provider_codes(&self.provider_codes)?;
        // One more is asked for, to know whether there are more.
        if (1..u8::MAX).contains(&self.total_results) {
            return Ok(());
        }
        Err(format!("total_results is {}; it can be 1 to {}", self.total_results, u8::MAX - 1))
    }
}

impl Params for ContractNewsParams {
    const REQUIRED: &'static [&'static str] = &["contract", "provider_codes"];

    fn check(&self) -> Checked {
        self.contract.check()?;
        check_provider_codes(&self.provider_codes)
    }
}

impl Params for BroadTapeNewsParams {
    const REQUIRED: &'static [&'static str] = &["provider_code"];

    fn check(&self) -> Checked {
        check_given("provider_code", &self.provider_code, "one that news_providers lists")
    }
}

fn check_provider_codes(codes: &[String]) -> Checked {
    if codes.is_empty() {
        return Err("provider_codes is empty; news_providers lists the codes there are".to_owned());
    }
    // They would be read as two, or as something else.
    match codes.iter().find(|code| code.is_empty() || code.contains([',', ':', '+'])) {
        Some(code) => Err(format!(
            "{code:?} in provider_codes is not the code of one provider; news_providers lists the codes there are"
        )),
        None => Ok(()),
    }
}

impl Params for ScannerParams {
    const REQUIRED: &'static [&'static str] = &["scan_code"];

    fn check(&self) -> Checked {
        check_given("scan_code", &self.scan_code, "e.g. \"TOP_PERC_GAIN\"; scanner_parameters has all")?;
        for (field, value) in [
            ("above_price", self.above_price),
            ("below_price", self.below_price),
            ("market_cap_above", self.market_cap_above),
            ("market_cap_below", self.market_cap_below),
            ("coupon_rate_above", self.coupon_rate_above),
            ("coupon_rate_below", self.coupon_rate_below),
        ] {
            check_finite(field, value)?;
        }
        Ok(())
    }
}

impl Params for WshEventsParams {
    const REQUIRED: &'static [&'static str] = &[];

    fn check(&self) -> Checked {
        match (self.con_id, &self.filter) {
            (Some(_), Some(_)) => Err("con_id and filter are given; TWS takes one of them".to_owned()),
            (None, None) => Err("neither con_id nor filter is given; TWS takes one of them".to_owned()),
            (None, Some(_)) if self.start_date.or(self.end_date).is_some() => {
                Err("a filter has its days in its own text; leave out start_date and end_date".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn check_given(field: &str, value: &str, expected: &str) -> Checked {
    if value.is_empty() {
        return Err(format!("{field} is empty; expected {expected}"));
    }
    Ok(())
}

fn check_con_id(con_id: i32) -> Checked {
    if con_id == 0 {
        return Err("con_id is 0; expected a contract id as contract_details gives it".to_owned());
    }
    Ok(())
}

/// JSON has no NaN and no infinity: a worker would hear of no number at all.
fn check_finite(field: impl Display, value: Option<f64>) -> Checked {
    match value {
        Some(value) if set(value).is_none() => Err(format!("{field} is {value}; expected a number, or none")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

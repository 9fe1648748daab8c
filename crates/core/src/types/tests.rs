//! Every type of the table, as JSON: its golden file in `golden/` stays readable and stays what is written, and any value
//! survives the way through a worker.

use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Two tests per type. A golden file is one value of the type in pretty JSON, or an array of values where the type has
/// variants; write it by hand, the failing test shows what it should be.
macro_rules! type_tests {
    ($($Type:ident)+) => {
        $(
            #[allow(non_snake_case)]
            mod $Type {
                use super::*;

                #[test]
                fn golden() {
                    assert_golden::<crate::types::$Type>(include_str!(concat!("../../golden/", stringify!($Type), ".json")));
                }

                proptest! {
                    #![proptest_config(ProptestConfig::with_cases(64))]

                    #[test]
                    fn round_trips(value: crate::types::$Type) {
                        assert_round_trip(&value);
                    }
                }
            }
        )+

        const TESTED: &[&str] = &[$( stringify!($Type) ),+];
    };
}

type_tests! {
    AccountMultiValue
    AccountSummaryParams
    AccountSummaryUpdatesEvent
    AccountSummaryValue
    AccountUpdatesEvent
    AccountUpdatesMultiEvent
    AccountUpdatesMultiParams
    AccountUpdatesParams
    AccountUpdatesSnapshot
    AccountValue
    AdvisorConfigParams
    AdvisorDataType
    ApiSettings
    Bar
    BarSize
    BarTime
    BidAskTick
    BondDetails
    BroadTapeNewsParams
    CalculateImpliedVolatilityParams
    CalculateOptionPriceParams
    ComboLeg
    CommissionReport
    CompletedOrder
    CompletedOrdersParams
    Condition
    Connectivity
    ConnectivityEvent
    Contract
    ContractDetails
    ContractNewsParams
    DeltaNeutralContract
    DepthExchange
    DepthOperation
    DepthRow
    DepthSide
    DisplayGroupEvent
    DisplayGroupEventsParams
    Execution
    ExecutionDetails
    ExecutionSide
    ExecutionsParams
    ExecutionsSide
    FamilyCode
    FarmKind
    FarmStatus
    GatewayConfig
    HeadTimestampParams
    HistogramEntry
    HistogramParams
    HistogramPeriod
    HistoricalBarUpdatesEvent
    HistoricalBarUpdatesParams
    HistoricalBars
    HistoricalBarsParams
    HistoricalDuration
    HistoricalNews
    HistoricalNewsParams
    HistoricalSchedule
    HistoricalScheduleParams
    HistoricalTickKind
    HistoricalTicks
    HistoricalTicksParams
    LegAction
    LegOpenClose
    LockAndExitConfig
    MarketDataEvent
    MarketDataParams
    MarketDataType
    MarketDepthEvent
    MarketDepthParams
    MarketRule
    MarketRuleParams
    MatchingSymbolsParams
    MessageConfig
    MidpointTick
    NewsArticle
    NewsArticleParams
    NewsArticleType
    NewsBulletin
    NewsEvent
    NewsHeadline
    NewsProvider
    Notice
    OpenOrder
    OptionChain
    OptionChainParams
    OptionComputation
    Order
    OrderAction
    OrderCondition
    OrderState
    OrderStatus
    OrderUpdatesEvent
    Pnl
    PnlEvent
    PnlParams
    PnlSingle
    PnlSingleEvent
    PnlSingleParams
    PortfolioValue
    Position
    PositionMulti
    PositionUpdatesEvent
    PositionsMultiEvent
    PositionsMultiParams
    PrecautionsConfig
    PriceIncrement
    ProofOfLife
    Quote
    QuoteSnapshotParams
    RealTimeBarKind
    RealTimeBarsEvent
    RealTimeBarsParams
    ScannerEvent
    ScannerParams
    ScannerRow
    ScheduleSession
    SmartComponent
    SmartComponentsParams
    SmartRoutingConfig
    SoftDollarTier
    SymbolMatch
    TickByTickEvent
    TickByTickParams
    TickByTickType
    TickType
    TradeTick
    TwsTime
    UserInfo
    WhatToShow
    WshEventsParams
}

fn assert_golden<T: Serialize + DeserializeOwned>(golden: &str) {
    let written = if golden.trim_start().starts_with('[') {
        serde_json::to_string_pretty(&serde_json::from_str::<Vec<T>>(golden).unwrap())
    } else {
        serde_json::to_string_pretty(&serde_json::from_str::<T>(golden).unwrap())
    };
    let written = written.unwrap();
    assert_eq!(written, golden.trim_end(), "written today:\n{written}");
}

/// The same JSON again, and the same value unless it has numbers that JSON can't hold: those become "unset".
fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    let debug = format!("{value:?}");
    if !["Some(NaN)", "Some(inf)", "Some(-inf)"].iter().any(|lost| debug.contains(lost)) {
        assert_eq!(&back, value);
    }
}

#[test]
fn every_golden_file_has_a_type() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
    for file in std::fs::read_dir(directory).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(TESTED.iter().any(|known| name == format!("{known}.json")), "{name} is the file of no type");
    }
}

/// Those of `schema.rs` say only how times, days and nothing at all are written.
#[test]
#[cfg(feature = "schema")]
fn every_type_of_the_table_is_tested() {
    let schema = crate::operations_schema();
    for name in schema["$defs"].as_object().unwrap().keys() {
        assert!(
            TESTED.contains(&name.as_str()) || ["Time", "Day", "NoParams"].contains(&name.as_str()),
            "{name} has neither a golden file nor a property test"
        );
    }
}

proptest! {
    /// The derived strategies write no control characters.
    #[test]
    fn any_text_survives(text in prop::collection::vec(any::<char>(), 0..20)) {
        let text = String::from_iter(text);
        assert_round_trip(&crate::types::Notice { code: i32::MIN, message: text.clone(), time: None });
        assert_round_trip(&crate::types::Contract { symbol: text, ..Default::default() });
    }
}

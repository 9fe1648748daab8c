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

        /// No golden file is without its type.
        #[test]
        fn every_golden_file_has_a_type() {
            assert_files(&[$( stringify!($Type) ),+]);
        }
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
    Bar
    CommissionReport
    CompletedOrder
    CompletedOrdersParams
    ConnectivityEvent
    BroadTapeNewsParams
    Contract
    ContractDetails
    ContractNewsParams
    DepthExchange
    DisplayGroupEvent
    DisplayGroupEventsParams
    ExecutionDetails
    ExecutionsParams
    FamilyCode
    GatewayConfig
    HeadTimestampParams
    HistogramEntry
    HistogramParams
    HistoricalBarUpdatesEvent
    HistoricalBarUpdatesParams
    HistoricalBars
    HistoricalBarsParams
    HistoricalNews
    HistoricalNewsParams
    HistoricalSchedule
    HistoricalScheduleParams
    HistoricalTicks
    HistoricalTicksParams
    MarketDataEvent
    MarketDataParams
    MarketDepthEvent
    MarketDepthParams
    NewsArticle
    NewsArticleParams
    NewsBulletin
    NewsEvent
    NewsProvider
    Notice
    OpenOrder
    OrderCondition
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
    Quote
    QuoteSnapshotParams
    RealTimeBarsEvent
    RealTimeBarsParams
    ScannerEvent
    ScannerParams
    SmartComponent
    SmartComponentsParams
    SoftDollarTier
    TickByTickEvent
    TickByTickParams
    TwsTime

    CalculateImpliedVolatilityParams
    CalculateOptionPriceParams
    MarketRule
    MarketRuleParams
    MatchingSymbolsParams
    OptionChain
    OptionChainParams
    OptionComputation
    SymbolMatch
    UserInfo
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

fn assert_files(types: &[&str]) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
    for file in std::fs::read_dir(directory).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(types.iter().any(|known| name == format!("{known}.json")), "{name} is the file of no type");
    }
}

//! The past: bars, ticks, schedules.

use super::{HistoricalTick, HistoricalTickBidAsk, HistoricalTickLast};

super::messages! {
    pub struct HistoricalData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub historical_data_bars: Vec<HistoricalDataBar>,
    }

    pub struct HistoricalDataBar {
        #[prost(tag = 1, string, optional)]
        pub date: Option<String>,
        #[prost(tag = 2, double, optional)]
        pub open: Option<f64>,
        #[prost(tag = 3, double, optional)]
        pub high: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub low: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub close: Option<f64>,
        #[prost(tag = 6, string, optional)]
        pub volume: Option<String>,
        #[prost(tag = 7, string, optional)]
        pub wap: Option<String>,
        #[prost(tag = 8, int32, optional)]
        pub bar_count: Option<i32>,
    }

    pub struct HistoricalDataEnd {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub start_date_str: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub end_date_str: Option<String>,
    }

    pub struct HistoricalDataUpdate {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub historical_data_bar: Option<HistoricalDataBar>,
    }

    pub struct HeadTimestamp {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub head_timestamp: Option<String>,
    }

    pub struct HistogramData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub histogram_data_entries: Vec<HistogramDataEntry>,
    }

    pub struct HistogramDataEntry {
        #[prost(tag = 1, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 2, string, optional)]
        pub size: Option<String>,
    }

    pub struct HistoricalSchedule {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub start_date_time: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub end_date_time: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub time_zone: Option<String>,
        #[prost(tag = 5, message, repeated)]
        pub historical_sessions: Vec<HistoricalSession>,
    }

    pub struct HistoricalSession {
        #[prost(tag = 1, string, optional)]
        pub start_date_time: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub end_date_time: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub ref_date: Option<String>,
    }

    pub struct HistoricalTicks {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub historical_ticks: Vec<HistoricalTick>,
        #[prost(tag = 3, bool, optional)]
        pub is_done: Option<bool>,
    }

    pub struct HistoricalTicksBidAsk {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub historical_ticks_bid_ask: Vec<HistoricalTickBidAsk>,
        #[prost(tag = 3, bool, optional)]
        pub is_done: Option<bool>,
    }

    pub struct HistoricalTicksLast {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub historical_ticks_last: Vec<HistoricalTickLast>,
        #[prost(tag = 3, bool, optional)]
        pub is_done: Option<bool>,
    }
}

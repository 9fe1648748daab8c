//! Requests about the past apart from bars and ticks, and what answers them.

use prost::Message;

use super::{Contract, HistoricalDataBar};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalDataUpdate {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) historical_data_bar: Option<HistoricalDataBar>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalSession {
    #[prost(string, optional, tag = "1")]
    pub(crate) start_date_time: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) end_date_time: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) ref_date: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalSchedule {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) start_date_time: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) end_date_time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) time_zone: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) historical_sessions: Vec<HistoricalSession>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeadTimestampRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) use_rth: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(crate) what_to_show: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) format_date: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeadTimestamp {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) head_timestamp: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistogramDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) use_rth: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(crate) time_period: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistogramDataEntry {
    #[prost(double, optional, tag = "1")]
    pub(crate) price: Option<f64>,
    #[prost(string, optional, tag = "2")]
    pub(crate) size: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistogramData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) histogram_data_entries: Vec<HistogramDataEntry>,
}

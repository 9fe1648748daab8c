//! News, scanners and Wall Street Horizon.

use prost::Message;

use super::Contract;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NewsProvider {
    #[prost(string, optional, tag = "1")]
    pub(crate) provider_code: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) provider_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NewsProviders {
    #[prost(message, repeated, tag = "1")]
    pub(crate) news_providers: Vec<NewsProvider>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NewsArticleRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) provider_code: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) article_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NewsArticle {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) article_type: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) article_text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalNewsRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) con_id: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) provider_codes: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) start_date_time: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) end_date_time: Option<String>,
    #[prost(int32, optional, tag = "6")]
    pub(crate) total_results: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalNews {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) time: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) provider_code: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) article_id: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) headline: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalNewsEnd {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(bool, optional, tag = "2")]
    pub(crate) has_more: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TickNews {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    pub(crate) timestamp: Option<i64>,
    #[prost(string, optional, tag = "3")]
    pub(crate) provider_code: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) article_id: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) headline: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) extra_data: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NewsBulletinsRequest {
    #[prost(bool, optional, tag = "1")]
    pub(crate) all_messages: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NewsBulletin {
    #[prost(int32, optional, tag = "1")]
    pub(crate) news_msg_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) news_msg_type: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) news_message: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) originating_exch: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScannerParameters {
    #[prost(string, optional, tag = "1")]
    pub(crate) xml: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScannerSubscription {
    #[prost(int32, optional, tag = "1")]
    pub(crate) number_of_rows: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) instrument: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) location_code: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) scan_code: Option<String>,
    #[prost(double, optional, tag = "5")]
    pub(crate) above_price: Option<f64>,
    #[prost(double, optional, tag = "6")]
    pub(crate) below_price: Option<f64>,
    #[prost(int64, optional, tag = "7")]
    pub(crate) above_volume: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScannerSubscriptionRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) scanner_subscription: Option<ScannerSubscription>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScannerDataElement {
    #[prost(int32, optional, tag = "1")]
    pub(crate) rank: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(crate) market_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScannerData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) scanner_data_element: Vec<ScannerDataElement>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WshMetaData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) data_json: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WshEventDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) con_id: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) filter: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(crate) start_date: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(crate) end_date: Option<String>,
    #[prost(int32, optional, tag = "9")]
    pub(crate) total_limit: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WshEventData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) data_json: Option<String>,
}

//! The Gateway's settings, an advisor's, and TWS's windows.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SoftDollarTiers {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) soft_dollar_tiers: Vec<SoftDollarTier>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SoftDollarTier {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) value: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) display_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FaRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) fa_data_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReceiveFa {
    #[prost(int32, optional, tag = "1")]
    pub(crate) fa_data_type: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) xml: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DisplayGroupList {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) groups: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SubscribeToGroupEventsRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) group_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DisplayGroupUpdated {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) contract_info: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigResponse {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) lock_and_exit: Option<LockAndExitConfig>,
    #[prost(message, optional, tag = "4")]
    pub(crate) api: Option<ApiConfig>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LockAndExitConfig {
    #[prost(string, optional, tag = "1")]
    pub(crate) auto_logoff_time: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) auto_logoff_period: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) auto_logoff_type: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ApiConfig {
    #[prost(message, optional, tag = "2")]
    pub(crate) settings: Option<ApiSettingsConfig>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ApiSettingsConfig {
    #[prost(bool, optional, tag = "1")]
    pub(crate) read_only_api: Option<bool>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) download_open_orders_on_connection: Option<bool>,
    #[prost(int32, optional, tag = "8")]
    pub(crate) socket_port: Option<i32>,
    #[prost(bool, optional, tag = "26")]
    pub(crate) reject_messages_above_max_rate: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    pub(crate) allow_localhost_only: Option<bool>,
}

//! News and Wall Street Horizon.

super::messages! {
    pub struct NewsProviders {
        #[prost(tag = 1, message, repeated)]
        pub news_providers: Vec<NewsProvider>,
    }

    pub struct NewsProvider {
        #[prost(tag = 1, string, optional)]
        pub provider_code: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub provider_name: Option<String>,
    }

    pub struct NewsArticle {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub article_type: Option<i32>,
        #[prost(tag = 3, string, optional)]
        pub article_text: Option<String>,
    }

    pub struct NewsBulletin {
        #[prost(tag = 1, int32, optional)]
        pub news_msg_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub news_msg_type: Option<i32>,
        #[prost(tag = 3, string, optional)]
        pub news_message: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub originating_exch: Option<String>,
    }

    pub struct TickNews {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int64, optional)]
        pub timestamp: Option<i64>,
        #[prost(tag = 3, string, optional)]
        pub provider_code: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub article_id: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub headline: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub extra_data: Option<String>,
    }

    pub struct HistoricalNews {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub time: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub provider_code: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub article_id: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub headline: Option<String>,
    }

    pub struct WshMetaData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub data_json: Option<String>,
    }

    pub struct WshEventData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub data_json: Option<String>,
    }
}

//! Quotes, single ticks and order books.

super::messages! {
    pub struct TickPrice {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub tick_type: Option<i32>,
        #[prost(tag = 3, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 4, string, optional)]
        pub size: Option<String>,
        #[prost(tag = 5, int32, optional)]
        pub attr_mask: Option<i32>,
    }

    pub struct TickSize {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub tick_type: Option<i32>,
        #[prost(tag = 3, string, optional)]
        pub size: Option<String>,
    }

    pub struct TickString {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub tick_type: Option<i32>,
        #[prost(tag = 3, string, optional)]
        pub value: Option<String>,
    }

    pub struct TickGeneric {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub tick_type: Option<i32>,
        #[prost(tag = 3, double, optional)]
        pub value: Option<f64>,
    }

    pub struct TickReqParams {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub min_tick: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub bbo_exchange: Option<String>,
        #[prost(tag = 4, int32, optional)]
        pub snapshot_permissions: Option<i32>,
        #[prost(tag = 5, string, optional)]
        pub last_price_precision: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub last_size_precision: Option<String>,
    }

    pub struct TickOptionComputation {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub tick_type: Option<i32>,
        #[prost(tag = 3, int32, optional)]
        pub tick_attrib: Option<i32>,
        #[prost(tag = 4, double, optional)]
        pub implied_vol: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub delta: Option<f64>,
        #[prost(tag = 6, double, optional)]
        pub opt_price: Option<f64>,
        #[prost(tag = 7, double, optional)]
        pub pv_dividend: Option<f64>,
        #[prost(tag = 8, double, optional)]
        pub gamma: Option<f64>,
        #[prost(tag = 9, double, optional)]
        pub vega: Option<f64>,
        #[prost(tag = 10, double, optional)]
        pub theta: Option<f64>,
        #[prost(tag = 11, double, optional)]
        pub und_price: Option<f64>,
    }

    pub struct MarketDataType {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub market_data_type: Option<i32>,
    }

    pub struct TickByTickData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub tick_type: Option<i32>,
        #[prost(tag = 3, message, optional)]
        pub historical_tick_last: Option<HistoricalTickLast>,
        #[prost(tag = 4, message, optional)]
        pub historical_tick_bid_ask: Option<HistoricalTickBidAsk>,
        #[prost(tag = 5, message, optional)]
        pub historical_tick_mid_point: Option<HistoricalTick>,
    }

    pub struct HistoricalTickLast {
        #[prost(tag = 1, int64, optional)]
        pub time: Option<i64>,
        #[prost(tag = 2, message, optional)]
        pub tick_attrib_last: Option<TickAttribLast>,
        #[prost(tag = 3, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 4, string, optional)]
        pub size: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub special_conditions: Option<String>,
    }

    pub struct HistoricalTickBidAsk {
        #[prost(tag = 1, int64, optional)]
        pub time: Option<i64>,
        #[prost(tag = 2, message, optional)]
        pub tick_attrib_bid_ask: Option<TickAttribBidAsk>,
        #[prost(tag = 3, double, optional)]
        pub price_bid: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub price_ask: Option<f64>,
        #[prost(tag = 5, string, optional)]
        pub size_bid: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub size_ask: Option<String>,
    }

    pub struct HistoricalTick {
        #[prost(tag = 1, int64, optional)]
        pub time: Option<i64>,
        #[prost(tag = 2, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 3, string, optional)]
        pub size: Option<String>,
    }

    pub struct TickAttribLast {
        #[prost(tag = 1, bool, optional)]
        pub past_limit: Option<bool>,
        #[prost(tag = 2, bool, optional)]
        pub unreported: Option<bool>,
    }

    pub struct TickAttribBidAsk {
        #[prost(tag = 1, bool, optional)]
        pub bid_past_low: Option<bool>,
        #[prost(tag = 2, bool, optional)]
        pub ask_past_high: Option<bool>,
    }

    pub struct MarketDepth {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub market_depth_data: Option<MarketDepthData>,
    }

    pub struct MarketDepthL2 {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub market_depth_data: Option<MarketDepthData>,
    }

    pub struct MarketDepthData {
        #[prost(tag = 1, int32, optional)]
        pub position: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub operation: Option<i32>,
        #[prost(tag = 3, int32, optional)]
        pub side: Option<i32>,
        #[prost(tag = 4, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 5, string, optional)]
        pub size: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub market_maker: Option<String>,
        #[prost(tag = 7, bool, optional)]
        pub is_smart_depth: Option<bool>,
    }

    pub struct MarketDepthExchanges {
        #[prost(tag = 1, message, repeated)]
        pub depth_market_data_descriptions: Vec<DepthMarketDataDescription>,
    }

    pub struct DepthMarketDataDescription {
        #[prost(tag = 1, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub sec_type: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub listing_exch: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub service_data_type: Option<String>,
        #[prost(tag = 5, int32, optional)]
        pub agg_group: Option<i32>,
    }

    pub struct SmartComponents {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub smart_components: Vec<SmartComponent>,
    }

    pub struct SmartComponent {
        #[prost(tag = 1, int32, optional)]
        pub bit_number: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub exchange_letter: Option<String>,
    }

    pub struct RealTimeBarTick {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, int64, optional)]
        pub time: Option<i64>,
        #[prost(tag = 3, double, optional)]
        pub open: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub high: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub low: Option<f64>,
        #[prost(tag = 6, double, optional)]
        pub close: Option<f64>,
        #[prost(tag = 7, string, optional)]
        pub volume: Option<String>,
        #[prost(tag = 8, string, optional)]
        pub wap: Option<String>,
        #[prost(tag = 9, int32, optional)]
        pub count: Option<i32>,
    }
}

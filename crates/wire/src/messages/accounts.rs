//! Accounts and what they hold.

use super::Contract;

super::messages! {
    pub struct ManagedAccounts {
        #[prost(tag = 1, string, optional)]
        pub accounts_list: Option<String>,
    }

    pub struct AccountValue {
        #[prost(tag = 1, string, optional)]
        pub key: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub value: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub currency: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub account_name: Option<String>,
    }

    pub struct PortfolioValue {
        #[prost(tag = 1, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 2, string, optional)]
        pub position: Option<String>,
        #[prost(tag = 3, double, optional)]
        pub market_price: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub market_value: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub average_cost: Option<f64>,
        #[prost(tag = 6, double, optional)]
        pub unrealized_pnl: Option<f64>,
        #[prost(tag = 7, double, optional)]
        pub realized_pnl: Option<f64>,
        #[prost(tag = 8, string, optional)]
        pub account_name: Option<String>,
    }

    pub struct AccountUpdateTime {
        #[prost(tag = 1, string, optional)]
        pub time_stamp: Option<String>,
    }

    pub struct Position {
        #[prost(tag = 1, string, optional)]
        pub account: Option<String>,
        #[prost(tag = 2, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 3, string, optional)]
        pub position: Option<String>,
        #[prost(tag = 4, double, optional)]
        pub avg_cost: Option<f64>,
    }

    pub struct PositionMulti {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub account: Option<String>,
        #[prost(tag = 3, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 4, string, optional)]
        pub position: Option<String>,
        #[prost(tag = 5, double, optional)]
        pub avg_cost: Option<f64>,
        #[prost(tag = 6, string, optional)]
        pub model_code: Option<String>,
    }

    pub struct AccountSummary {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub account: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub tag: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub value: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub currency: Option<String>,
    }

    pub struct AccountUpdateMulti {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub account: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub model_code: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub key: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub value: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub currency: Option<String>,
    }

    pub struct PnL {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, double, optional)]
        pub daily_pnl: Option<f64>,
        #[prost(tag = 3, double, optional)]
        pub unrealized_pnl: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub realized_pnl: Option<f64>,
    }

    pub struct PnLSingle {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub position: Option<String>,
        #[prost(tag = 3, double, optional)]
        pub daily_pnl: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub unrealized_pnl: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub realized_pnl: Option<f64>,
        #[prost(tag = 6, double, optional)]
        pub value: Option<f64>,
    }

    pub struct FamilyCodes {
        #[prost(tag = 1, message, repeated)]
        pub family_codes: Vec<FamilyCode>,
    }

    pub struct FamilyCode {
        #[prost(tag = 1, string, optional)]
        pub account_id: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub family_code: Option<String>,
    }

    pub struct UserInfo {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub white_branding_id: Option<String>,
    }
}

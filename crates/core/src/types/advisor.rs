//! What TWS's own windows and an advisor's accounts are set up for.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::names::tws_names;

/// Which of an advisor's data [`advisor_config`](crate::Session::advisor_config) asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AdvisorConfigParams {
    /// Which data.
    pub data_type: AdvisorDataType,
}

tws_names! {
    /// The kinds of an advisor's data.
    AdvisorDataType, "kind of advisor data" { #[default] Groups = "GROUPS", Aliases = "ALIASES", }
}

/// Which display group [`display_group_events`](crate::Session::display_group_events) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct DisplayGroupEventsParams {
    /// One of [`display_groups`](crate::Session::display_groups).
    pub group_id: i32,
}

/// One event of a display group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisplayGroupEvent {
    /// It shows a contract.
    Contract {
        /// The contract.
        con_id: i32,
        /// Its exchange.
        exchange: String,
    },
    /// It shows a combination, which TWS does not name.
    Combo {},
    /// It shows nothing.
    Empty {},
    /// It shows something that is not known here.
    Other {
        /// TWS's text.
        contract_info: String,
    },
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

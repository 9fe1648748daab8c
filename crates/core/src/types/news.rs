//! News: who sells it, headlines past and present, articles, and IBKR's own bulletins.

use derive_setters::Setters;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Contract;
use super::names::tws_names;

/// A news provider that the login subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct NewsProvider {
    /// What requests call it, e.g. `BRFG`.
    pub code: String,
    /// What people call it.
    pub name: String,
}

/// Which article [`news_article`](crate::Session::news_article) asks for, as a headline names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct NewsArticleParams {
    /// The provider's code.
    #[setters(into)]
    pub provider_code: String,
    /// The article's id.
    #[setters(into)]
    pub article_id: String,
}

/// An article.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct NewsArticle {
    /// What its text is.
    pub article_type: NewsArticleType,
    /// Plain text or HTML; of a binary article, its bytes in Base64.
    pub article_text: String,
}

tws_names! {
    /// What an article's text is: plain text or HTML, or a binary document such as a PDF.
    NewsArticleType, "article type" {
        #[default] Text = "TEXT", Binary = "BINARY",
    }
}

/// Which headlines [`historical_news`](crate::Session::historical_news) asks for: the newest of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalNewsParams {
    /// The contract's id; TWS takes no other description here.
    pub con_id: i32,
    /// The providers' codes, as [`news_providers`](crate::Session::news_providers) lists them.
    pub provider_codes: Vec<String>,
    /// After when, this moment excluded; `None` for the beginning of 2000.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub start: Option<Timestamp>,
    /// Up to when, this moment included; `None` for now. TWS takes whole seconds.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
    /// How many at most, 1 to 254.
    pub total_results: u8,
}

impl Default for HistoricalNewsParams {
    fn default() -> Self {
        Self { con_id: 0, provider_codes: Vec::new(), start: None, end: None, total_results: 10 }
    }
}

/// Headlines of the past.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalNews {
    /// The headlines in TWS's order, newest first.
    pub headlines: Vec<NewsHeadline>,
    /// Whether the time asked for has older ones: ask again with the oldest one's time as the end.
    pub has_more: bool,
}

/// A headline, and the article behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct NewsHeadline {
    /// When it was published; `None` where TWS's text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
    /// The provider's code.
    pub provider_code: String,
    /// The article's id, for [`news_article`](crate::Session::news_article).
    pub article_id: String,
    /// The headline as TWS writes it; some begin with marks in braces, e.g. `{A:800015:L:en}`.
    pub headline: String,
    /// What TWS adds to it; `None` for headlines of the past.
    pub extra_data: Option<String>,
}

/// What [`contract_news`](crate::Session::contract_news) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ContractNewsParams {
    /// Of which contract.
    pub contract: Contract,
    /// The providers' codes, one or more.
    pub provider_codes: Vec<String>,
}

/// What [`broad_tape_news`](crate::Session::broad_tape_news) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct BroadTapeNewsParams {
    /// The provider's code. TWS's contract for it is `BRFG:BRFG_ALL` of the type `NEWS` at `BRFG`.
    #[setters(into)]
    pub provider_code: String,
}

/// One event of a stream of headlines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NewsEvent {
    /// A headline.
    Headline(NewsHeadline),
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// What IBKR tells all its clients: a bulletin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct NewsBulletin {
    /// Its id.
    pub message_id: i32,
    /// 1 for a bulletin, 2 for an exchange that is no longer available, 3 for one that is again.
    pub message_type: i32,
    /// Its text.
    pub message: String,
    /// The exchange it comes from; empty where it comes from none.
    pub exchange: String,
}

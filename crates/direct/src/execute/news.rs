//! News: providers, articles and headlines.

use ibapi::Client;
use ibapi::news as ib;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::types::{
    BroadTapeNewsParams, ContractNewsParams, HistoricalNews, HistoricalNewsParams, NewsArticle,
    NewsArticleParams, NewsEvent, NewsProvider,
};
use ibkr_connect_core::{Event, EventSender, Result};
use jiff::Timestamp;

use super::forward::{collect, forward};
use crate::convert;
use crate::error::request_error;

/// Where the past begins for those who don't say.
const BEGINNING: Timestamp = Timestamp::constant(946_684_800, 0);

pub(super) async fn news_providers(client: &Client) -> Result<Vec<NewsProvider>> {
    let providers = client.news_providers().await.map_err(|error| request_error("news_providers", error))?;
    Ok(providers.into_iter().map(convert::news_provider).collect())
}

pub(super) async fn news_article(client: &Client, params: &NewsArticleParams) -> Result<NewsArticle> {
    let article = client.news_article(&params.provider_code, &params.article_id).await;
    Ok(convert::news_article(article.map_err(|error| request_error("news_article", error))?))
}

/// ibapi keeps TWS's word on whether there is more to itself, so this asks for one more than wanted.
pub(super) async fn historical_news(
    client: &Client,
    params: &HistoricalNewsParams,
) -> Result<HistoricalNews> {
    let wanted = params.total_results;
    let providers = codes(&params.provider_codes);
    let start = convert::offset_date_time(params.start.unwrap_or(BEGINNING))?;
    let end = convert::offset_date_time(params.end.unwrap_or_else(Timestamp::now))?;
    let found = client.historical_news(params.con_id, &providers, start, end, wanted.saturating_add(1)).await;
    let found = found.map_err(|error| request_error("historical_news", error))?;
    let mut headlines = collect("historical_news", found, convert::past_headline).await?;
    let has_more = headlines.len() > usize::from(wanted);
    headlines.truncate(wanted.into());
    Ok(HistoricalNews { headlines, has_more })
}

pub(super) async fn contract_news(
    client: &Client,
    params: &ContractNewsParams,
    events: &EventSender,
) -> Result<()> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let providers = codes(&params.provider_codes);
    let news = client.contract_news(&contract, &providers).await;
    let news = news.map_err(|error| request_error("contract_news", error))?;
    headlines("contract_news", news, events, Event::ContractNews).await
}

pub(super) async fn broad_tape_news(
    client: &Client,
    params: &BroadTapeNewsParams,
    events: &EventSender,
) -> Result<()> {
    let news = client.broad_tape_news(&params.provider_code).await;
    let news = news.map_err(|error| request_error("broad_tape_news", error))?;
    headlines("broad_tape_news", news, events, Event::BroadTapeNews).await
}

async fn headlines(
    command: &str,
    news: Subscription<ib::NewsArticle>,
    events: &EventSender,
    event: impl Fn(NewsEvent) -> Event,
) -> Result<()> {
    let news_event = |item| match item {
        SubscriptionItem::Data(article) => convert::headline(article).map(NewsEvent::Headline),
        SubscriptionItem::Notice(notice) => {
            Ok(NewsEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    forward(command, news, events, |item| news_event(item).map(&event)).await
}

fn codes(codes: &[String]) -> Vec<&str> {
    codes.iter().map(String::as_str).collect()
}

//! News: providers, articles and headlines.

use ibapi::news as ib;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    BroadTapeNewsParams, ContractNewsParams, HistoricalNews, HistoricalNewsParams, NewsArticle,
    NewsArticleParams, NewsEvent, NewsProvider,
};
use jiff::Timestamp;

use super::asker::Asker;
use super::forward::{collect, forward};
use crate::convert;

/// Where the past begins for those who don't say.
const BEGINNING: Timestamp = Timestamp::constant(946_684_800, 0);

pub(super) async fn news_providers(asker: &Asker) -> Result<Vec<NewsProvider>> {
    let providers = asker.ask_unnumbered(|| asker.news_providers()).await?;
    Ok(providers.into_iter().map(convert::news_provider).collect())
}

pub(super) async fn news_article(asker: &Asker, params: &NewsArticleParams) -> Result<NewsArticle> {
    let article = asker.ask(asker.news_article(&params.provider_code, &params.article_id)).await?;
    Ok(convert::news_article(article))
}

/// ibapi keeps TWS's word on whether there is more to itself, so this asks for one more than wanted.
pub(super) async fn historical_news(asker: &Asker, params: &HistoricalNewsParams) -> Result<HistoricalNews> {
    let wanted = params.total_results;
    let providers = codes(&params.provider_codes);
    let start = convert::offset_date_time(params.start.unwrap_or(BEGINNING))?;
    let end = convert::offset_date_time(params.end.unwrap_or_else(Timestamp::now))?;
    let one_more = wanted.saturating_add(1);
    let found = asker.ask(asker.historical_news(params.con_id, &providers, start, end, one_more)).await?;
    let mut headlines = collect(asker, found, |article| Ok(convert::headline(article))).await?;
    let has_more = headlines.len() > usize::from(wanted);
    headlines.truncate(wanted.into());
    Ok(ibkr_connect_core::literal!(HistoricalNews { headlines, has_more }))
}

pub(super) async fn contract_news<'a>(
    asker: &'a Asker,
    params: &ContractNewsParams,
    events: Events<'a, NewsEvent>,
) -> Result<Carrying<'a>> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let providers = codes(&params.provider_codes);
    let news = asker.ask(asker.contract_news(&contract, &providers)).await?;
    Ok(headlines(news, events))
}

pub(super) async fn broad_tape_news<'a>(
    asker: &'a Asker,
    params: &BroadTapeNewsParams,
    events: Events<'a, NewsEvent>,
) -> Result<Carrying<'a>> {
    let news = asker.ask(asker.broad_tape_news(&params.provider_code)).await?;
    Ok(headlines(news, events))
}

fn headlines<'a>(news: Subscription<ib::NewsArticle>, events: Events<'a, NewsEvent>) -> Carrying<'a> {
    let event = |item| match item {
        SubscriptionItem::Data(article) => Ok(NewsEvent::Headline(convert::headline(article))),
        SubscriptionItem::Notice(notice) => {
            Ok(NewsEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    forward(news, events, event)
}

fn codes(codes: &[String]) -> Vec<&str> {
    codes.iter().map(String::as_str).collect()
}

//! Headlines as they come: market data with nothing but news, of a contract or of a whole provider.

use jiff::Timestamp;

use super::news::known_providers;
use crate::framing::Frame;
use crate::market::{Headline, Listing, World};
use crate::messages::{Contract, MarketDataRequest, Response, TickNews};
use crate::session::{Feed, Opening, Refusal, no_definition};

/// The generic tick of news, and what makes market data have nothing else.
const NEWS: &str = "292";
const NO_MARKET_DATA: &str = "mdoff";

/// How many headlines of the past a stream begins with.
const LATEST: usize = 5;

/// How far back the latest may be, in seconds.
const RECENT: i64 = 86_400;

/// A subscription to headlines.
#[derive(Debug)]
struct NewsFeed {
    req_id: i32,
    world: World,
    listings: Vec<&'static Listing>,
    providers: Vec<&'static str>,
    /// Up to and with which second they have been sent.
    sent: i64,
}

/// Whether market data are asked for that have only news.
pub(crate) fn is_asked_for(wanted: &MarketDataRequest) -> bool {
    wanted.generic_tick_list.as_deref().is_some_and(|list| list.split(',').any(|tick| tick == NO_MARKET_DATA))
}

/// The latest headlines, then each that comes.
pub(crate) fn subscribe(
    world: &World,
    wanted: &MarketDataRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let list = wanted.generic_tick_list.as_deref().unwrap_or_default();
    let (listings, providers) = match provider_of(&contract) {
        Some(provider) => {
            let all = world.instruments.iter().map(|instrument| instrument.listing).collect();
            (all, known_providers(req_id, std::iter::once(provider))?)
        }
        None if contract.sec_type.as_deref() == Some("NEWS") => return Err(no_definition(req_id)),
        None => {
            let codes = list.split(',').filter_map(|tick| tick.split_once(':'));
            let codes = codes.filter(|(tick, _)| *tick == NEWS).map(|(_, code)| code);
            (vec![world.instrument(req_id, &contract)?.listing], known_providers(req_id, codes)?)
        }
    };
    let second = now.as_second();
    let mut feed = NewsFeed { req_id, world: world.clone(), listings, providers, sent: second };
    let mut latest = feed.between(second - RECENT, second);
    latest.drain(..latest.len().saturating_sub(LATEST));
    let frames = latest.into_iter().map(|headline| frame(req_id, headline)).collect();
    feed.sent = second;
    Ok(Opening { frames, feed: Some(Box::new(feed)) })
}

impl NewsFeed {
    /// The headlines after one second and up to another, in the order in which they come.
    fn between(&self, after: i64, until: i64) -> Vec<Headline> {
        let headlines =
            self.listings.iter().flat_map(|listing| self.world.headlines(listing, after + 1..until + 1));
        let mut headlines: Vec<_> =
            headlines.filter(|headline| self.providers.contains(&headline.provider)).collect();
        headlines.sort_by_key(|headline| headline.second);
        headlines
    }
}

impl Feed for NewsFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let second = now.as_second();
        let new = self.between(self.sent, second);
        self.sent = self.sent.max(second);
        new.into_iter().map(|headline| frame(self.req_id, headline)).collect()
    }
}

/// The provider of a contract such as `BRFG:BRFG_ALL` of the type `NEWS`.
fn provider_of(contract: &Contract) -> Option<&str> {
    let (provider, tape) = contract.symbol.as_deref()?.split_once(':')?;
    let is_news = contract.sec_type.as_deref() == Some("NEWS");
    (is_news && tape.strip_suffix("_ALL") == Some(provider)).then_some(provider)
}

fn frame(req_id: i32, headline: Headline) -> Frame {
    let message = TickNews {
        req_id: Some(req_id),
        timestamp: Some(headline.second * 1000),
        provider_code: Some(headline.provider.into()),
        article_id: Some(headline.article_id),
        headline: Some(headline.text),
        extra_data: Some(String::new()),
    };
    message.frame()
}

//! News: providers, articles, headlines past and present.

use jiff::Timestamp;

use super::history::{invalid, moment};
use crate::framing::Frame;
use crate::market::{Headline, PROVIDERS, World};
use crate::messages::{
    HistoricalNews, HistoricalNewsEnd, HistoricalNewsRequest, NewsArticle, NewsArticleRequest, NewsProvider,
    NewsProviders, Response,
};
use crate::session::{Refusal, no_definition};

/// An empty PDF in Base64, the article of all headlines that have a document.
const DOCUMENT: &str = "JVBERi0xLjQKJSVFT0YK";

pub(crate) fn providers() -> Frame {
    let provider = |(code, name): (&str, &str)| NewsProvider {
        provider_code: Some(code.into()),
        provider_name: Some(name.into()),
    };
    NewsProviders { news_providers: PROVIDERS.map(provider).into() }.frame()
}

/// The article behind a headline that is out.
pub(crate) fn article(world: &World, wanted: &NewsArticleRequest, now: Timestamp) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let headline = world
        .headline(wanted.article_id.as_deref().unwrap_or_default(), now.as_second())
        .filter(|headline| wanted.provider_code.as_deref() == Some(headline.provider))
        .ok_or_else(|| Refusal::new(req_id, 10172, "Failed to request news article:No data available"))?;
    let text = if headline.binary {
        DOCUMENT.into()
    } else {
        format!("<p>{}</p><p>{}, {}</p>", headline.text, headline.provider, dotted(headline.second))
    };
    let article_type = Some(i32::from(headline.binary));
    Ok(NewsArticle { req_id: Some(req_id), article_type, article_text: Some(text) }.frame())
}

/// The newest headlines after the start and up to the end, then whether there are more.
pub(crate) fn historical(
    world: &World,
    wanted: &HistoricalNewsRequest,
    now: Timestamp,
) -> Result<Vec<Frame>, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let con_id = wanted.con_id.unwrap_or_default();
    let listing = world
        .instruments
        .iter()
        .map(|instrument| instrument.listing)
        .find(|listing| listing.con_id == con_id)
        .ok_or_else(|| no_definition(req_id))?;
    let providers = known_providers(req_id, wanted.provider_codes.as_deref().unwrap_or_default().split('+'))?;
    let total = wanted.total_results.unwrap_or_default();
    let total = usize::try_from(total)
        .ok()
        .filter(|total| (1..=300).contains(total))
        .ok_or_else(|| invalid(req_id, "Total results", &total.to_string(), "1 to 300"))?;
    let time = |text: &Option<String>, default| match text.as_deref().unwrap_or_default() {
        "" => Ok(default),
        text => moment(req_id, text),
    };
    let (start, end) = (time(&wanted.start_date_time, 0)?, time(&wanted.end_date_time, now.as_second())?);
    let mut headlines = world
        .headlines(listing, start + 1..end.min(now.as_second()) + 1)
        .filter(|headline| providers.contains(&headline.provider));
    let mut frames: Vec<_> =
        headlines.by_ref().take(total).map(|headline| past_frame(req_id, headline)).collect();
    let has_more = Some(headlines.next().is_some());
    frames.push(HistoricalNewsEnd { req_id: Some(req_id), has_more }.frame());
    Ok(frames)
}

/// The providers with these codes; error 10276 if one is not subscribed.
pub(super) fn known_providers<'a>(
    req_id: i32,
    codes: impl Iterator<Item = &'a str>,
) -> Result<Vec<&'static str>, Refusal> {
    let known = |code: &str| PROVIDERS.iter().map(|(known, _)| *known).find(|known| *known == code);
    codes
        .map(known)
        .collect::<Option<_>>()
        .ok_or_else(|| Refusal::new(req_id, 10276, "News feed is not allowed."))
}

fn past_frame(req_id: i32, headline: Headline) -> Frame {
    let message = HistoricalNews {
        req_id: Some(req_id),
        time: Some(dotted(headline.second)),
        provider_code: Some(headline.provider.into()),
        article_id: Some(headline.article_id),
        headline: Some(headline.text),
    };
    message.frame()
}

/// `2026-07-10 15:00:00.0`, as TWS writes the time of a headline.
fn dotted(second: i64) -> String {
    let moment = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
    moment.strftime("%Y-%m-%d %H:%M:%S.0").to_string()
}

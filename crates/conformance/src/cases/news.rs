//! News, the scanner and Wall Street Horizon: what one request names, the others know.

use std::cell::RefCell;
use std::collections::HashSet;

use ibkr_connect_core::types::{
    BroadTapeNewsParams, Contract, ContractNewsParams, HistoricalNewsParams, NewsArticleParams,
    NewsArticleType, NewsEvent, NewsHeadline, QuoteSnapshotParams, ScannerEvent, ScannerParams,
    WshEventsParams,
};
use ibkr_connect_core::{Error, ErrorKind, Session, Subscription};
use serde_json::Value;

use crate::Backend;
use crate::cases::market::{aapl, begin, failure, replay, seconds, take, with};
use crate::support::until;

const APPLE: i32 = 265_598;
const APPLE_INC: &str = "APPLE INC";

fn apple_news() -> HistoricalNewsParams {
    HistoricalNewsParams::default()
        .with_con_id(APPLE)
        .with_provider_codes(vec!["BRFG".into(), "BRFUPDN".into(), "DJNL".into()])
        .with_end(Some(begin()))
}

pub(crate) async fn every_headline_has_its_article(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let providers = session.news_providers().await.unwrap();
        let codes: HashSet<_> = providers.iter().map(|provider| provider.code.clone()).collect();
        assert_eq!(codes, apple_news().provider_codes.into_iter().collect());
        let params = apple_news().with_total_results(60);
        let news = session.historical_news(params).await.unwrap();
        assert_eq!((news.headlines.len(), news.has_more), (60, true));
        let mut kinds = HashSet::new();
        for headline in news.headlines {
            assert!(codes.contains(&headline.provider_code), "{headline:?}");
            let params = NewsArticleParams::default()
                .with_provider_code(headline.provider_code.clone())
                .with_article_id(headline.article_id.clone());
            let article = session.news_article(params).await.unwrap();
            let is_text = article.article_type == NewsArticleType::Text;
            assert_eq!(article.article_text.contains(&headline.headline), is_text, "{article:?}");
            kinds.insert(is_text);
        }
        assert_eq!(kinds.len(), 2, "texts and documents");
        let params = NewsArticleParams::default().with_provider_code("BRFG").with_article_id("BRFG$0");
        let error = session.news_article(params).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(10172)));
    })
    .await;
}

pub(crate) async fn headlines_of_the_past_come_page_by_page(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let start = Some(begin() - seconds(3600));
        let all = apple_news().with_start(start).with_total_results(200);
        let all = session.historical_news(all).await.unwrap();
        assert!(!all.has_more && all.headlines.len() >= 59, "{}", all.headlines.len());
        assert!(all.headlines.is_sorted_by(|newer, older| newer.time > older.time));

        let (mut pages, mut end) = (Vec::new(), Some(begin()));
        loop {
            let page = apple_news().with_start(start).with_end(end).with_total_results(7);
            let page = session.historical_news(page).await.unwrap();
            assert_eq!(page.has_more, pages.len() + page.headlines.len() < all.headlines.len());
            // The end belongs to the page.
            end = page.headlines.last().map(|headline| headline.time.unwrap() - seconds(1));
            pages.extend(page.headlines);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(pages, all.headlines);

        let one =
            apple_news().with_provider_codes(vec!["DJNL".into()]).with_start(start).with_total_results(200);
        let one = session.historical_news(one).await.unwrap().headlines;
        let expected: Vec<_> =
            all.headlines.into_iter().filter(|found| found.provider_code == "DJNL").collect();
        assert_eq!(one, expected);
    })
    .await;
}

pub(crate) async fn news_needs_providers_and_a_contract_that_exist(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let kind_and_code = async |params| {
            let error = session.historical_news(params).await.unwrap_err();
            (error.kind(), error.code())
        };
        let nobody = apple_news().with_provider_codes(vec!["NOBODY".into()]);
        assert_eq!(kind_and_code(nobody).await, (ErrorKind::GatewayError, Some(10276)));
        let nothing = apple_news().with_con_id(1);
        assert_eq!(kind_and_code(nothing).await, (ErrorKind::GatewayError, Some(200)));
        let none = apple_news().with_provider_codes(Vec::new());
        assert_eq!(kind_and_code(none).await, (ErrorKind::InvalidRequest, None));
        for total_results in [0, 255] {
            let params = apple_news().with_total_results(total_results);
            assert_eq!(kind_and_code(params).await, (ErrorKind::InvalidRequest, None));
        }
    })
    .await;
}

/// The next headlines of a stream.
async fn headlines(news: &mut Subscription<NewsEvent>, count: usize) -> Vec<NewsHeadline> {
    let headline = |event| match event {
        NewsEvent::Headline(headline) => headline,
        other => panic!("{other:?}"),
    };
    take(news, count).await.into_iter().map(headline).collect()
}

/// What a provider wrote about Apple from the first to the last of these headlines.
async fn written(session: &Session, provider: &str, came: &[NewsHeadline]) -> Vec<NewsHeadline> {
    let [first, .., last] = came else { panic!("{came:?}") };
    let params = apple_news()
        .with_provider_codes(vec![provider.to_owned()])
        .with_start(first.time.map(|time| time - seconds(1)))
        .with_end(last.time)
        .with_total_results(200);
    let mut written = session.historical_news(params).await.unwrap().headlines;
    written.reverse();
    written
}

fn untagged(headlines: Vec<NewsHeadline>) -> Vec<NewsHeadline> {
    headlines
        .into_iter()
        .map(|headline| ibkr_connect_core::literal!(NewsHeadline { extra_data: None, ..headline }))
        .collect()
}

pub(crate) async fn headlines_that_came_are_in_the_past_later(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let params =
            ContractNewsParams::default().with_contract(aapl()).with_provider_codes(vec!["DJNL".into()]);
        let mut of_apple = session.contract_news(params).await.unwrap();
        let mut tape =
            session.broad_tape_news(BroadTapeNewsParams::default().with_provider_code("DJNL")).await.unwrap();
        // The first five are of the time before.
        let came = headlines(&mut of_apple, 8).await;
        assert!(came[4].time <= Some(begin()) && Some(begin()) < came[5].time, "{came:?}");
        assert_eq!(untagged(came.clone()), untagged(written(session, "DJNL", &came).await));

        let all = headlines(&mut tape, 40).await;
        assert!(all.is_sorted_by_key(|headline| headline.time), "{all:?}");
        let others = all.iter().filter(|headline| !headline.headline.contains(APPLE_INC)).count();
        assert!(others > 20, "a tape is of all companies: {all:?}");
        let apples: Vec<_> =
            all.into_iter().filter(|headline| headline.headline.contains(APPLE_INC)).collect();
        assert_eq!(untagged(apples.clone()), untagged(written(session, "DJNL", &apples).await));

        drop((of_apple, tape));
        until("both cancels", || gateway.stats().requested("cancelMktData") == 2).await;
    })
    .await;
}

pub(crate) async fn headlines_need_providers_and_a_contract_that_exist(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let kind_and_code = |error: Error| (error.kind(), error.code());
        let news = async |contract, provider: &str| {
            let params = ContractNewsParams::default()
                .with_contract(contract)
                .with_provider_codes(vec![provider.to_owned()]);
            kind_and_code(failure(session.contract_news(params).await).await)
        };
        assert_eq!(news(aapl(), "NOBODY").await, (ErrorKind::GatewayError, Some(10276)));
        assert_eq!(news(Contract::stock("NOSUCH"), "DJNL").await, (ErrorKind::GatewayError, Some(200)));
        assert_eq!(news(aapl(), "DJNL,292:BRFG").await, (ErrorKind::InvalidRequest, None));
        let nobody = BroadTapeNewsParams::default().with_provider_code("NOBODY");
        let error = failure(session.broad_tape_news(nobody).await).await;
        assert_eq!(kind_and_code(error), (ErrorKind::GatewayError, Some(10276)));
    })
    .await;
}

pub(crate) async fn a_scan_ranks_by_the_quotes(backend: &dyn Backend) {
    let scan = |scan_code: &str| {
        ScannerParams::default()
            .with_instrument("STK")
            .with_location_code("STK.US.MAJOR")
            .with_scan_code(scan_code.to_owned())
    };
    let found = RefCell::new(Vec::new());
    with(backend, replay(), async |gateway, session| {
        let mut gainers = session.scanner(scan("TOP_PERC_GAIN")).await.unwrap();
        let ScannerEvent::Rows(rows) = take(&mut gainers, 1).await.remove(0) else { panic!("no rows") };
        let ranks: Vec<_> = rows.iter().map(|row| row.rank).collect();
        assert_eq!(ranks, (0..i32::try_from(rows.len()).unwrap()).collect::<Vec<_>>());

        found.replace(rows);

        let two = scan("TOP_PERC_LOSE").with_number_of_rows(Some(2));
        let mut losers = session.scanner(two).await.unwrap();
        let lists = take(&mut losers, 2).await;
        assert!(lists.iter().all(|list| matches!(list, ScannerEvent::Rows(rows) if rows.len() == 2)));
        let nothing = scan("MOST_ACTIVE").with_above_price(Some(1e6));
        let mut nothing = session.scanner(nothing).await.unwrap();
        assert!(matches!(take(&mut nothing, 1).await[0], ScannerEvent::Notice { code: 165, .. }));
        let unknown = failure(session.scanner(scan("NO_SUCH_SCAN")).await).await;
        assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::GatewayError, Some(162)), "{unknown}");

        drop((gainers, losers, nothing));
        until("the cancels", || gateway.stats().requested("cancelScannerSubscription") >= 3).await;
    })
    .await;

    // Another Gateway that replays the same Friday, and whose time has not begun to pass.
    with(backend, replay(), async |_, session| {
        let mut changes = Vec::new();
        for row in found.take() {
            let params = QuoteSnapshotParams::default().with_contract(row.contract);
            let quote = session.quote_snapshot(params).await.unwrap();
            changes.push(quote.last.unwrap() / quote.close.unwrap());
        }
        assert!(changes.len() >= 3 && changes.is_sorted_by(|one, next| one > next), "{changes:?}");
    })
    .await;
}

pub(crate) async fn streams_of_bulletins_share_what_has_come(backend: &dyn Backend) {
    /// It is shortly after three in the afternoon in UTC: there is one for each hour of the day.
    const OF_THE_DAY: usize = 16;
    with(backend, replay(), async |gateway, session| {
        let mut one = session.news_bulletins().await.unwrap();
        let first = take(&mut one, OF_THE_DAY).await;
        let mut other = session.news_bulletins().await.unwrap();
        assert_eq!(take(&mut other, OF_THE_DAY).await, first);
        let away = first.iter().find(|bulletin| bulletin.message_type == 2).unwrap();
        assert!(away.message.starts_with(&away.exchange) && !away.exchange.is_empty(), "{away:?}");

        drop(one);
        // An hour passes.
        let next = take(&mut other, 1).await.remove(0);
        assert_eq!(next.message_id, first[OF_THE_DAY - 1].message_id + 1);
        assert_eq!(gateway.stats().requested("reqNewsBulletins"), 1);
        assert_eq!(gateway.stats().requested("cancelNewsBulletins"), 0);

        drop(other);
        until("the cancel", || gateway.stats().requested("cancelNewsBulletins") == 1).await;
        let mut anew = session.news_bulletins().await.unwrap();
        assert_eq!(take(&mut anew, OF_THE_DAY).await, first);
        assert_eq!(gateway.stats().requested("reqNewsBulletins"), 2);
    })
    .await;
}

pub(crate) async fn scanner_parameters_name_the_scans(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let xml = session.scanner_parameters().await.unwrap();
        assert!(xml.starts_with("<?xml ") && xml.ends_with("</ScanParameterResponse>"), "{xml}");
        for code in ["TOP_PERC_GAIN", "TOP_PERC_LOSE", "MOST_ACTIVE"] {
            assert!(xml.contains(&format!("<scanCode>{code}</scanCode>")), "{xml}");
        }
    })
    .await;
}

pub(crate) async fn corporate_events_are_those_asked_for(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let july = WshEventsParams::default()
            .with_con_id(Some(APPLE))
            .with_start_date(Some(jiff::civil::date(2024, 7, 1)))
            .with_end_date(Some(jiff::civil::date(2024, 9, 30)));
        let quarter = session.wsh_events(july.clone()).await.unwrap();
        assert_eq!(gateway.stats().requested("reqWshMetaData"), 1, "TWS wants to be asked for it before");

        let metadata: Value = serde_json::from_str(&session.wsh_metadata().await.unwrap()).unwrap();
        let types = metadata["data"]["event_types"].as_array().unwrap();
        let tags: Vec<_> = types.iter().map(|kind| kind["tag"].as_str().unwrap()).collect();
        let events = async |params| -> Vec<Value> {
            serde_json::from_str(&session.wsh_events(params).await.unwrap()).unwrap()
        };
        assert_eq!(session.wsh_events(july.clone()).await.unwrap(), quarter);
        assert_eq!(gateway.stats().requested("reqWshEventData"), 3, "one of them was refused");
        let quarter: Vec<Value> = serde_json::from_str(&quarter).unwrap();
        assert_eq!(quarter.len(), 2);
        for event in &quarter {
            assert_eq!(event["conid"], APPLE);
            assert!(tags.contains(&event["event_type"].as_str().unwrap()), "{event}");
            assert!(("20240701"..="20240930").contains(&event["index_date"].as_str().unwrap()), "{event}");
        }
        assert_eq!(events(july.clone().with_total_limit(Some(1))).await, quarter[..1]);

        let filter = format!("{{\"watchlist\":[\"{APPLE}\"],\"wshe_ed\":\"true\"}}");
        let filter = WshEventsParams::default().with_filter(Some(filter));
        let earnings = events(filter.clone()).await;
        assert_eq!(earnings.len(), 12);
        assert!(earnings.iter().all(|event| event["event_type"] == "wshe_ed"));

        for wrong in [WshEventsParams::default(), filter.with_con_id(Some(APPLE))] {
            assert_eq!(session.wsh_events(wrong).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
    })
    .await;
}

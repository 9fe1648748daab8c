//! News.

use ibapi::news as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{NewsArticle, NewsArticleType, NewsBulletin, NewsHeadline, NewsProvider};
use ibkr_connect_core::{Error, ErrorKind, Result};
use time::OffsetDateTime;

use super::timestamp;

pub(crate) fn news_provider(provider: ib::NewsProvider) -> NewsProvider {
    literal!(NewsProvider { code: provider.code, name: provider.name })
}

pub(crate) fn news_article(article: ib::NewsArticleBody) -> NewsArticle {
    let article_type = match article.article_type {
        ib::ArticleType::Text => NewsArticleType::Text,
        ib::ArticleType::Binary => NewsArticleType::Binary,
    };
    literal!(NewsArticle { article_type, article_text: article.article_text })
}

/// A headline of the past. ibapi makes the beginning of 1970 of a time that it can't read.
pub(crate) fn past_headline(article: ib::NewsArticle) -> Result<NewsHeadline> {
    if article.time == OffsetDateTime::UNIX_EPOCH {
        let message = format!("the headline {:?} has no time that can be read", article.article_id);
        return Err(Error::new(ErrorKind::Protocol, message));
    }
    headline(article)
}

pub(crate) fn headline(article: ib::NewsArticle) -> Result<NewsHeadline> {
    Ok(literal!(NewsHeadline {
        time: timestamp(article.time)?,
        provider_code: article.provider_code,
        article_id: article.article_id,
        headline: article.headline,
        extra_data: Some(article.extra_data).filter(|data| !data.is_empty()),
    }))
}

pub(crate) fn news_bulletin(bulletin: ib::NewsBulletin) -> NewsBulletin {
    literal!(NewsBulletin {
        message_id: bulletin.message_id,
        message_type: bulletin.message_type,
        message: bulletin.message,
        exchange: bulletin.exchange,
    })
}

//! News.

use ibapi::news as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{NewsArticle, NewsArticleType, NewsBulletin, NewsHeadline, NewsProvider};

use super::said_time;

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

pub(crate) fn headline(article: ib::NewsArticle) -> NewsHeadline {
    literal!(NewsHeadline {
        time: said_time(article.time),
        provider_code: article.provider_code,
        article_id: article.article_id,
        headline: article.headline,
        extra_data: Some(article.extra_data).filter(|data| !data.is_empty()),
    })
}

pub(crate) fn news_bulletin(bulletin: ib::NewsBulletin) -> NewsBulletin {
    literal!(NewsBulletin {
        message_id: bulletin.message_id,
        message_type: bulletin.message_type,
        message: bulletin.message,
        exchange: bulletin.exchange,
    })
}

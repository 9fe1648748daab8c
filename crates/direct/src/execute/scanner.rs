//! The market scanner.

use ibapi::Client;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::types::{ScannerEvent, ScannerParams};
use ibkr_connect_core::{Event, EventSender, Result};

use super::forward::forward;
use crate::convert;
use crate::error::request_error;

pub(super) async fn scanner_parameters(client: &Client) -> Result<String> {
    client.scanner_parameters().await.map_err(|error| request_error("scanner_parameters", error))
}

pub(super) async fn scanner(client: &Client, params: &ScannerParams, events: &EventSender) -> Result<()> {
    let (subscription, filter) = convert::scanner_subscription(params);
    let lists = client.scanner_subscription(&subscription, &filter).await;
    let lists = lists.map_err(|error| request_error("scanner", error))?;
    let event = |item| match item {
        SubscriptionItem::Data(rows) => Ok(Event::Scanner(ScannerEvent::Rows(convert::scanner_rows(rows)))),
        SubscriptionItem::Notice(notice) => {
            Ok(Event::Scanner(ScannerEvent::Notice { code: notice.code, message: notice.message }))
        }
    };
    forward("scanner", lists, events, event).await
}

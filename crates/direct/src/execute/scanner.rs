//! The market scanner.

use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{ScannerEvent, ScannerParams};

use super::asker::Asker;
use super::forward::forward;
use crate::convert;

pub(super) async fn scanner_parameters(asker: &Asker) -> Result<String> {
    asker.ask_unnumbered(|| asker.scanner_parameters()).await
}

pub(super) async fn scanner<'a>(
    asker: &'a Asker,
    params: &ScannerParams,
    events: Events<'a, ScannerEvent>,
) -> Result<Carrying<'a>> {
    let (subscription, filter) = convert::scanner_subscription(params);
    let lists = asker.ask(asker.scanner_subscription(&subscription, &filter)).await?;
    let event = |item| match item {
        SubscriptionItem::Data(rows) => Ok(ScannerEvent::Rows(convert::scanner_rows(rows))),
        SubscriptionItem::Notice(notice) => {
            Ok(ScannerEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    Ok(forward(lists, events, event))
}

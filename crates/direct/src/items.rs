//! The items of ibapi's subscriptions.

use futures_core::Stream;
use ibapi::SUBSCRIPTION_LAG_CODE;
use ibapi::prelude::StreamExt;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::{Error, ErrorKind, Result};

use crate::error::request_error;

/// The next item; `None` at the end. A stream of which ibapi has dropped items fails here: what follows would have a gap that
/// nobody sees.
pub(crate) async fn next<T>(
    items: &mut (impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin),
) -> Result<Option<SubscriptionItem<T>>> {
    checked(items.next().await.transpose())
}

/// An item that ibapi has given, or why there is none.
pub(crate) fn checked<T>(
    item: std::result::Result<Option<SubscriptionItem<T>>, ibapi::Error>,
) -> Result<Option<SubscriptionItem<T>>> {
    match item.map_err(request_error)? {
        Some(SubscriptionItem::Notice(notice)) if notice.code == SUBSCRIPTION_LAG_CODE => {
            Err(Error::new(ErrorKind::SlowConsumer, notice.message)
                .with_advice("ask again: more came at once than the connection's thread could take"))
        }
        item => Ok(item),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ibkr_connect_core::block_on;

    use super::*;

    type Item = std::result::Result<SubscriptionItem<i32>, ibapi::Error>;

    /// A subscription that has these items at once.
    struct Items(std::vec::IntoIter<Item>);

    impl Stream for Items {
        type Item = Item;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
            Poll::Ready(self.0.next())
        }
    }

    fn notice(code: i32) -> Item {
        let text = "the Gateway's or ibapi's words";
        Ok(SubscriptionItem::Notice(ibapi::Notice {
            request_id: Some(7),
            code,
            message: text.to_owned(),
            error_time: None,
            advanced_order_reject_json: String::new(),
        }))
    }

    /// Everything up to the end or an error.
    fn read(items: impl Into<Vec<Item>>) -> Result<Vec<i32>> {
        let mut items = Items(items.into().into_iter());
        let mut numbers = Vec::new();
        while let Some(item) = block_on(next(&mut items))? {
            if let SubscriptionItem::Data(number) = item {
                numbers.push(number);
            }
        }
        Ok(numbers)
    }

    #[test]
    fn a_warning_is_no_end() {
        let data = |number| Ok(SubscriptionItem::Data(number));
        assert_eq!(read([data(1), notice(2104), data(2)]).unwrap(), [1, 2]);
    }

    #[test]
    fn what_ibapi_has_dropped_is_an_error() {
        let data = |number| Ok(SubscriptionItem::Data(number));
        let error = read([data(1), notice(SUBSCRIPTION_LAG_CODE), data(3)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SlowConsumer);
    }
}

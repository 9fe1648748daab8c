//! From ibapi's streams to ours.

use futures_core::Stream;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};

use super::asker::Asker;
use super::cut_short;
use crate::items::next;

/// Passes a stream on until it fails; one that just ends was cut short.
pub(super) fn forward<'a, T: Send + 'a, E: 'a>(
    mut items: impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin + Send + 'a,
    events: Events<'a, E>,
    event: impl Fn(SubscriptionItem<T>) -> Result<E> + Send + 'a,
) -> Carrying<'a> {
    Box::pin(async move {
        while let Some(item) = next(&mut items).await? {
            events.send(event(item)?);
        }
        Err(cut_short())
    })
}

/// Everything a stream has until it ends, for streams that end by themselves.
pub(super) async fn collect<T, U>(
    asker: &Asker,
    mut items: impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin,
    convert: impl Fn(T) -> Result<U>,
) -> Result<Vec<U>> {
    let mut collected = Vec::new();
    while let Some(item) = next(&mut items).await? {
        match item {
            SubscriptionItem::Data(data) => {
                asker.notes.hear();
                collected.push(convert(data)?);
            }
            SubscriptionItem::Notice(notice) => asker.notice(&notice),
        }
    }
    Ok(collected)
}

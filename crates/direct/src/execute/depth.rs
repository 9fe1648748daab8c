//! Order books.

use ibapi::market_data::SmartDepth;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{Contract, DepthExchange, MarketDepthEvent, MarketDepthParams};
use ibkr_connect_core::{Error, ErrorKind, Result};

use super::asker::Asker;
use super::follow::{Following, Opening, forward_following};
use crate::convert::{self, Prices};

pub(super) async fn market_depth<'a>(
    asker: &'a Asker,
    params: &MarketDepthParams,
    events: Events<'a, MarketDepthEvent>,
) -> Result<Carrying<'a>> {
    let rows = i32::try_from(params.number_of_rows).map_err(|_| {
        let message = format!("{} rows are more than TWS has", params.number_of_rows);
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    let smart = if params.is_smart_depth { SmartDepth::Yes } else { SmartDepth::No };
    let open = move |contract: Contract| -> Opening<'a, _> {
        Box::pin(async move {
            let contract = convert::contract_to_ibapi(&contract)?;
            asker.ask(asker.market_depth(&contract, rows).smart_depth(smart).subscribe()).await
        })
    };
    let rows = Following::open(asker, &params.contract, open).await?;
    let prices = Prices::of(&params.contract);
    let event = move |item| match item {
        SubscriptionItem::Data(row) => convert::market_depth(row, prices),
        SubscriptionItem::Notice(notice) => {
            Ok(MarketDepthEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    Ok(forward_following(rows, events, event))
}

pub(super) async fn depth_exchanges(asker: &Asker) -> Result<Vec<DepthExchange>> {
    let exchanges = asker.answered(asker.ask_unnumbered(|| asker.market_depth_exchanges()).await?)?;
    Ok(exchanges.into_iter().map(convert::depth_exchange).collect())
}

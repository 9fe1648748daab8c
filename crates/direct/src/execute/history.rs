//! Historical data.

use ibapi::Client;
use ibapi::market_data::TradingHours;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{HistoricalBars, HistoricalBarsParams};

use crate::convert;
use crate::error::request_error;

pub(super) async fn historical_bars(
    client: &Client,
    params: &HistoricalBarsParams,
) -> Result<HistoricalBars> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let hours = if params.use_rth { TradingHours::Regular } else { TradingHours::Extended };
    let mut builder = client
        .historical_data(&contract, convert::bar_size(params.bar_size))
        .duration(convert::duration(params.duration)?)
        .what_to_show(convert::what_to_show(params.what_to_show))
        .trading_hours(hours);
    if let Some(end) = params.end {
        builder = builder.ending(convert::offset_date_time(end)?);
    }
    let data = builder.fetch().await.map_err(|error| request_error("historical_bars", error))?;
    convert::historical_bars(data)
}

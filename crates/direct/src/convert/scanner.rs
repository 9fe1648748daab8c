//! Scanners.

use ibapi::contracts::TagValue;
use ibapi::scanner as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{ScannerParams, ScannerRow};
use ibkr_connect_wire::messages as wire;

use super::{contract, integer, said, text, whole};

/// TWS's default number of rows.
const DEFAULT_ROWS: i32 = -1;

pub(crate) fn scanner_subscription(params: &ScannerParams) -> (ib::ScannerSubscription, Vec<TagValue>) {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let subscription = ib::ScannerSubscription {
        number_of_rows: params.number_of_rows.map_or(DEFAULT_ROWS, i32::from),
        instrument: text(&params.instrument),
        location_code: text(&params.location_code),
        scan_code: text(&params.scan_code),
        above_price: params.above_price,
        below_price: params.below_price,
        above_volume: params.above_volume,
        average_option_volume_above: params.average_option_volume_above,
        market_cap_above: params.market_cap_above,
        market_cap_below: params.market_cap_below,
        moody_rating_above: params.moody_rating_above.clone(),
        moody_rating_below: params.moody_rating_below.clone(),
        sp_rating_above: params.sp_rating_above.clone(),
        sp_rating_below: params.sp_rating_below.clone(),
        maturity_date_above: params.maturity_date_above.clone(),
        maturity_date_below: params.maturity_date_below.clone(),
        coupon_rate_above: params.coupon_rate_above,
        coupon_rate_below: params.coupon_rate_below,
        exclude_convertible: params.exclude_convertible,
        scanner_setting_pairs: params.scanner_setting_pairs.clone(),
        stock_type_filter: params.stock_type_filter.clone(),
    };
    let option = |(tag, value): (&String, &String)| TagValue { tag: tag.clone(), value: value.clone() };
    (subscription, params.filter_options.iter().map(option).collect())
}

/// The list in the order of its ranks, which is mostly that of the wire. It travels whole, in the one row that ibapi is given.
pub(crate) fn scanner_rows(rows: Vec<ib::ScannerData>) -> Vec<ScannerRow> {
    let list = rows.first().map(|row| whole::<wire::ScannerData>(&row.contract_details.market_name));
    let rows = list.unwrap_or_default().scanner_data_element.into_iter();
    let mut rows: Vec<_> = rows.map(scanner_row).collect();
    rows.sort_by_key(|row| row.rank);
    rows
}

fn scanner_row(of: wire::ScannerDataElement) -> ScannerRow {
    literal!(ScannerRow {
        rank: integer(of.rank),
        contract: contract(of.contract.unwrap_or_default()),
        market_name: text(of.market_name),
        distance: of.distance.and_then(said),
        benchmark: of.benchmark.and_then(said),
        projection: of.projection.and_then(said),
        legs: of.combo_key.and_then(said),
    })
}

//! Positions: of all accounts, or of one.

use jiff::Timestamp;

use super::accounts::in_scope;
use crate::framing::Frame;
use crate::market::{Account, Holding, World};
use crate::messages::{AccountModelRequest, Position, PositionMulti, Response, end, end_frame};
use crate::session::{Feed, Opening, Refusal};

/// Every position of every account.
pub(crate) fn of_all(world: &World) -> Opening {
    let row = |(account, held): (&Account, &Holding)| {
        let position = Position {
            account: Some(account.name.clone()),
            contract: Some(held.instrument.listing.contract()),
            position: Some(held.quantity.to_string()),
            avg_cost: Some(held.average_cost as f64 / 100.0),
        };
        position.frame()
    };
    let frames = held(&world.accounts).map(row).chain([end_frame(end::POSITIONS, None)]);
    Opening { frames: frames.collect(), feed: Some(Box::new(Unchanging)) }
}

/// The positions of one account, or of all. There are no models to have any.
pub(crate) fn of_account(world: &World, wanted: &AccountModelRequest) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let row = |(account, held): (&Account, &Holding)| {
        let position = PositionMulti {
            req_id: Some(req_id),
            account: Some(account.name.clone()),
            contract: Some(held.instrument.listing.contract()),
            position: Some(held.quantity.to_string()),
            avg_cost: Some(held.average_cost as f64 / 100.0),
            model_code: None,
        };
        position.frame()
    };
    let accounts = in_scope(world, wanted)?;
    let frames = held(accounts).map(row).chain([end_frame(end::POSITIONS_MULTI, Some(req_id))]);
    Ok(Opening { frames: frames.collect(), feed: Some(Box::new(Unchanging)) })
}

fn held<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
) -> impl Iterator<Item = (&'a Account, &'a Holding)> {
    accounts.into_iter().flat_map(|account| account.holdings.iter().map(move |held| (account, held)))
}

/// Nobody trades, so positions stay as they are.
#[derive(Debug)]
struct Unchanging;

impl Feed for Unchanging {
    fn next_change(&mut self, _: Timestamp) -> Vec<Frame> {
        Vec::new()
    }
}

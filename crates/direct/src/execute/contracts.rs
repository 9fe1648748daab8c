//! Contracts and their details.

use ibkr_connect_core::Result;
use ibkr_connect_core::types::{Contract, ContractDetails};

use super::asker::Asker;
use crate::convert;

pub(super) async fn contract_details(asker: &Asker, contract: &Contract) -> Result<Vec<ContractDetails>> {
    let contract = convert::contract_to_ibapi(contract)?;
    let found = asker.ask(asker.contract_details(&contract)).await?;
    Ok(found.into_iter().map(convert::contract_details).collect())
}

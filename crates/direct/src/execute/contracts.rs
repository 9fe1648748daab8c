//! Contracts and their details.

use ibapi::Client;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{Contract, ContractDetails};

use crate::convert;
use crate::error::request_error;

pub(super) async fn contract_details(client: &Client, contract: &Contract) -> Result<Vec<ContractDetails>> {
    let contract = convert::contract_to_ibapi(contract)?;
    let found =
        client.contract_details(&contract).await.map_err(|error| request_error("contract_details", error))?;
    Ok(found.into_iter().map(convert::contract_details).collect())
}

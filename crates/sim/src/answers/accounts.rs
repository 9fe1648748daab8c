//! Accounts and whose they are.

use crate::framing::Frame;
use crate::market::{Account, World};
use crate::messages::{
    AccountModelRequest, FamilyCode, FamilyCodes, ManagedAccounts, RequestId, Response, UserInfo,
};
use crate::session::Refusal;

pub(crate) fn managed_accounts(world: &World) -> Frame {
    ManagedAccounts { accounts_list: Some(world.account_list()) }.frame()
}

/// Several accounts are one family, named after the first of them; one alone has none.
pub(crate) fn family_codes(world: &World) -> Frame {
    let family = match world.accounts.as_slice() {
        [first, _, ..] => {
            format!("F{}", first.name.trim_start_matches(|letter: char| !letter.is_ascii_digit()))
        }
        _ => String::new(),
    };
    let code = |account: &Account| FamilyCode {
        account_id: Some(account.name.clone()),
        family_code: Some(family.clone()),
    };
    FamilyCodes { family_codes: world.accounts.iter().map(code).collect() }.frame()
}

/// A user of IBKR itself.
pub(crate) fn user_info(wanted: &RequestId) -> Frame {
    UserInfo { req_id: wanted.req_id, white_branding_id: Some(String::new()) }.frame()
}

/// The account of this name; error 321 if there is none.
pub(super) fn account<'a>(world: &'a World, req_id: i32, name: Option<&str>) -> Result<&'a Account, Refusal> {
    let name = name.unwrap_or_default();
    world.accounts.iter().find(|account| account.name == name).ok_or_else(|| {
        let message = format!("Error validating request.-'b' : cause - Invalid account code '{name}'.");
        Refusal::new(req_id, 321, message)
    })
}

/// The account asked for, or all of them; none for a model, as there is none.
pub(super) fn in_scope<'a>(
    world: &'a World,
    wanted: &AccountModelRequest,
) -> Result<impl Iterator<Item = &'a Account> + use<'a>, Refusal> {
    let accounts = match wanted.account.as_deref().unwrap_or_default() {
        "" => world.accounts.as_slice(),
        name => std::slice::from_ref(account(world, wanted.req_id.unwrap_or(-1), Some(name))?),
    };
    let models = wanted.model_code.as_deref().is_some_and(|model| !model.is_empty());
    Ok(accounts.iter().filter(move |_| !models))
}

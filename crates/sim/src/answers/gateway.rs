//! The Gateway's settings, an advisor's, and TWS's windows.

use crate::framing::Frame;
use crate::market::World;
use crate::messages::{
    ApiConfig, ApiSettingsConfig, ConfigResponse, DisplayGroupList, DisplayGroupUpdated, FaRequest,
    LockAndExitConfig, ReceiveFa, RequestId, Response, SoftDollarTier, SoftDollarTiers,
    SubscribeToGroupEventsRequest,
};
use crate::session::{Feed, Opening, Refusal};

/// The display groups there are; the n-th shows the n-th instrument.
const GROUPS: usize = 4;

/// IBKR's numbers of advisor data.
const FA_GROUPS: i32 = 1;
const FA_ALIASES: i32 = 3;

pub(crate) fn soft_dollar_tiers(wanted: &RequestId) -> Frame {
    let tier = SoftDollarTier {
        name: Some("MaxRebate".into()),
        value: Some("1".into()),
        display_name: Some("Maximize Rebate".into()),
    };
    SoftDollarTiers { req_id: wanted.req_id, soft_dollar_tiers: vec![tier] }.frame()
}

/// The groups or aliases of an advisor, which a login with several accounts is taken for.
pub(crate) fn advisor_data(world: &World, wanted: &FaRequest) -> Result<Frame, Refusal> {
    if world.accounts.len() < 2 {
        let message =
            "Error validating request.-'b' : cause - FA data operations ignored for non FA customers.";
        return Err(Refusal::new(-1, 321, message));
    }
    let names = world.accounts.iter().map(|account| account.name.as_str());
    let xml = match wanted.fa_data_type {
        Some(FA_GROUPS) => {
            let accounts: String = names.map(|name| format!("<String>{name}</String>")).collect();
            format!(
                "<ListOfGroups><Group><name>everybody</name><defaultMethod>NetLiq</defaultMethod>\
                 <ListOfAccts varName=\"list\">{accounts}</ListOfAccts></Group></ListOfGroups>"
            )
        }
        Some(FA_ALIASES) => {
            let alias =
                |name| format!("<AccountAlias><account>{name}</account><alias>{name}</alias></AccountAlias>");
            format!("<ListOfAccountAliases>{}</ListOfAccountAliases>", names.map(alias).collect::<String>())
        }
        other => {
            let number = other.unwrap_or_default();
            let message = format!("Error validating request.-'b' : cause - Invalid FA data type {number}");
            return Err(Refusal::new(-1, 321, message));
        }
    };
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{xml}");
    Ok(ReceiveFa { fa_data_type: wanted.fa_data_type, xml: Some(xml) }.frame())
}

pub(crate) fn config(world: &World, wanted: &RequestId) -> Frame {
    let settings = ApiSettingsConfig {
        read_only_api: Some(world.settings.read_only_api),
        download_open_orders_on_connection: Some(false),
        socket_port: Some(world.settings.port.into()),
        reject_messages_above_max_rate: Some(false),
        allow_localhost_only: Some(true),
    };
    let config = ConfigResponse {
        req_id: wanted.req_id,
        lock_and_exit: Some(LockAndExitConfig {
            auto_logoff_time: Some("11:45".into()),
            auto_logoff_period: Some("PM".into()),
            auto_logoff_type: Some("restart".into()),
        }),
        api: Some(ApiConfig { settings: Some(settings) }),
    };
    config.frame()
}

pub(crate) fn display_groups(wanted: &RequestId) -> Frame {
    let groups = (1..=GROUPS).map(|group| group.to_string()).collect::<Vec<_>>().join("|");
    DisplayGroupList { req_id: wanted.req_id, groups: Some(groups) }.frame()
}

/// What a display group shows, which nobody changes.
pub(crate) fn display_group(
    world: &World,
    wanted: &SubscribeToGroupEventsRequest,
) -> Result<Opening, Refusal> {
    let (req_id, group) = (wanted.req_id.unwrap_or(-1), wanted.group_id.unwrap_or_default());
    let index = usize::try_from(group).ok().filter(|group| (1..=GROUPS).contains(group));
    let Some(instrument) = index.and_then(|group| world.instruments.get(group - 1)) else {
        let message = format!("Error validating request.-'b' : cause - Unknown display group {group}");
        return Err(Refusal::new(req_id, 321, message));
    };
    let contract_info = format!("{}@{}", instrument.listing.con_id, instrument.listing.route());
    let frames =
        vec![DisplayGroupUpdated { req_id: wanted.req_id, contract_info: Some(contract_info) }.frame()];
    Ok(Opening { frames, feed: Some(Box::new(Unchanged)) })
}

/// A subscription to what does not change.
#[derive(Debug)]
struct Unchanged;

impl Feed for Unchanged {
    fn next_change(&mut self, _: jiff::Timestamp) -> Vec<Frame> {
        Vec::new()
    }
}

//! How the Gateway stands with IBKR's servers and data farms, by its notices.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Notice;

/// The Gateway's connection to IBKR has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "what is new about a change is new in `Connectivity`")]
pub struct ConnectivityEvent {
    /// What has changed.
    pub change: Connectivity,
    /// When the Gateway said it, where it says when.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
}

/// What can change in the Gateway's connection to IBKR. The numbers are the codes of the notices that say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Connectivity {
    /// IBKR's servers are lost (1100). TWS may say so again and again; it is over with `restored`.
    Lost {},
    /// TWS and its server have lost each other, and TWS tries to mend that (2110). No notice says when it is over; a data
    /// farm that is connected again does.
    Broken {},
    /// IBKR's servers are back.
    Restored {
        /// Whether market data subscriptions have lived on (1102), or are void and have to be opened anew (1101).
        data_kept: bool,
    },
    /// A data farm's connection (2103 to 2108, 2119, 2157, 2158).
    DataFarm {
        /// What the farm serves.
        kind: FarmKind,
        /// Its name, e.g. `usfarm`; empty where the notice names none.
        name: String,
        /// How its connection is now.
        status: FarmStatus,
    },
    /// TWS drops this connection because its port was changed (1300).
    PortReset {
        /// The new port, where the notice names it.
        port: Option<u16>,
    },
}

/// What a data farm of IBKR's serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FarmKind {
    /// Quotes.
    MarketData,
    /// Bars.
    Historical,
    /// Contract details.
    SecurityDefinitions,
}

/// How the connection to a data farm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FarmStatus {
    /// Being made.
    Connecting,
    /// Up.
    Connected,
    /// Lost.
    Disconnected,
    /// Down because nobody needs it; it is made when somebody asks.
    Inactive,
}

impl Notice {
    /// The change in the Gateway's connection to IBKR that this notice tells; `None` for all other notices.
    pub fn connectivity(&self) -> Option<Connectivity> {
        use FarmKind::{Historical, MarketData, SecurityDefinitions};
        use FarmStatus::{Connected, Connecting, Disconnected, Inactive};
        let farm = |kind, status| Connectivity::DataFarm { kind, name: farm_name(&self.message), status };
        Some(match self.code {
            1100 => Connectivity::Lost {},
            1101 => Connectivity::Restored { data_kept: false },
            1102 => Connectivity::Restored { data_kept: true },
            1300 => Connectivity::PortReset { port: last_number(&self.message) },
            2103 => farm(MarketData, Disconnected),
            2104 => farm(MarketData, Connected),
            2105 => farm(Historical, Disconnected),
            2106 => farm(Historical, Connected),
            2107 => farm(Historical, Inactive),
            2108 => farm(MarketData, Inactive),
            2110 => Connectivity::Broken {},
            2119 => farm(MarketData, Connecting),
            2157 => farm(SecurityDefinitions, Disconnected),
            2158 => farm(SecurityDefinitions, Connected),
            _ => return None,
        })
    }
}

/// "Market data farm connection is broken:usfarm" names it after the colon, "... available upon demand.ushmds" after the
/// sentence. No farm has a longer name than is kept.
fn farm_name(message: &str) -> String {
    const LONGEST: usize = 64;
    let named = message.rsplit_once(':').or_else(|| message.split_once("demand."));
    named.map_or("", |(_, name)| name.trim()).chars().take(LONGEST).collect()
}

/// "... Please reconnect on the new port - 7497".
fn last_number(message: &str) -> Option<u16> {
    message.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: i32, message: &str) -> Option<Connectivity> {
        Notice { code, message: message.to_owned(), time: None }.connectivity()
    }

    fn farm(kind: FarmKind, name: &str, status: FarmStatus) -> Option<Connectivity> {
        Some(Connectivity::DataFarm { kind, name: name.to_owned(), status })
    }

    #[test]
    fn the_servers_come_and_go() {
        assert_eq!(told(1100, "lost"), Some(Connectivity::Lost {}));
        assert_eq!(told(2110, "broken"), Some(Connectivity::Broken {}));
        assert_eq!(told(1101, "data lost"), Some(Connectivity::Restored { data_kept: false }));
        assert_eq!(told(1102, "data maintained"), Some(Connectivity::Restored { data_kept: true }));
        for other in [0, 100, 202, 321, 2100, 2109, 2150] {
            assert_eq!(told(other, "Market data farm connection is OK:usfarm"), None, "{other}");
        }
    }

    #[test]
    fn farms_have_names() {
        use FarmStatus::{Connected, Connecting, Disconnected, Inactive};
        let expected = [
            (2103, "Market data farm connection is broken:usfarm.nj", FarmKind::MarketData, Disconnected),
            (2104, "Market data farm connection is OK:usfarm.nj", FarmKind::MarketData, Connected),
            (2119, "Market data farm is connecting:usfarm.nj", FarmKind::MarketData, Connecting),
            (
                2107,
                "HMDS data farm connection is inactive but should be available upon demand.usfarm.nj",
                FarmKind::Historical,
                Inactive,
            ),
            (
                2157,
                "Sec-def data farm connection is broken:usfarm.nj",
                FarmKind::SecurityDefinitions,
                Disconnected,
            ),
        ];
        for (code, message, kind, status) in expected {
            assert_eq!(told(code, message), farm(kind, "usfarm.nj", status), "{message}");
        }
        assert_eq!(told(2106, ""), farm(FarmKind::Historical, "", Connected));
        let long = format!("Market data farm connection is OK:{}", "ä".repeat(1_000));
        assert_eq!(told(2104, &long), farm(FarmKind::MarketData, &"ä".repeat(64), Connected));
    }

    #[test]
    fn a_new_port_is_read_where_it_is_named() {
        let reset = |message| told(1300, message);
        let named = "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port - 7498";
        assert_eq!(reset(named), Some(Connectivity::PortReset { port: Some(7498) }));
        assert_eq!(reset("the port is 99999999"), Some(Connectivity::PortReset { port: None }));
        assert_eq!(reset(""), Some(Connectivity::PortReset { port: None }));
    }
}

//! What combinations are made of.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::UnknownNumber;
use super::words::tws_words;

/// One leg of a combination (`BAG`).
///
/// ```
/// use ibkr_connect_core::types::{ComboLeg, LegAction};
///
/// let leg = ComboLeg::sell(495_512_572, 2).with_exchange("CBOE");
/// assert_eq!((leg.action, leg.ratio), (LegAction::Sell, 2));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ComboLeg {
    /// The contract id of what is bought or sold.
    pub con_id: i32,
    /// How many of it for one of the combination, at least 1.
    pub ratio: i32,
    /// Whether it is bought or sold when the combination is bought.
    pub action: LegAction,
    /// Where the leg is routed, e.g. `SMART`.
    #[setters(into)]
    pub exchange: String,
    /// Whether it opens or closes a position: 0 as the combination does, 1 opens, 2 closes, 3 unknown.
    #[serde(default)]
    pub open_close: LegOpenClose,
    /// Where the stock of a short leg comes from: 0 for no short leg, 1 the clearing broker, 2 a third party.
    #[serde(default)]
    pub short_sale_slot: i32,
    /// The third party of slot 2; empty for the rest.
    #[serde(default)]
    #[setters(into)]
    pub designated_location: String,
    /// The exemption from the short-sale rule, as TWS numbers them; 0 for none.
    #[serde(default)]
    pub exempt_code: i32,
    /// The leg's own price in an order, in its currency; not sent to TWS.
    #[serde(default)]
    #[setters(skip)]
    pub per_leg_price: Option<f64>,
}

impl ComboLeg {
    /// A leg that is bought, smart-routed.
    pub fn buy(con_id: i32, ratio: i32) -> Self {
        Self::new(LegAction::Buy, con_id, ratio)
    }

    /// A leg that is sold, smart-routed.
    pub fn sell(con_id: i32, ratio: i32) -> Self {
        Self::new(LegAction::Sell, con_id, ratio)
    }

    fn new(action: LegAction, con_id: i32, ratio: i32) -> Self {
        Self {
            con_id,
            ratio,
            action,
            exchange: "SMART".to_owned(),
            open_close: LegOpenClose::Same,
            short_sale_slot: 0,
            designated_location: String::new(),
            exempt_code: 0,
            per_leg_price: None,
        }
    }
}

tws_words! {
    /// What is done with a leg when the combination is bought; the opposite when it is sold.
    LegAction {
        /// TWS says nothing; a leg that is sent needs one.
        Unset,
        /// `BUY`
        Buy = "BUY",
        /// `SELL`
        Sell = "SELL",
        /// `SSHORT`: sell short; for institutions.
        SellShort = "SSHORT",
    }
}

/// Whether a leg opens or closes a position; TWS's number in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "i32", extend("enum" = [0, 1, 2, 3])))]
#[serde(try_from = "i32", into = "i32")]
pub enum LegOpenClose {
    /// 0: as the combination, all that retail accounts can have.
    #[default]
    Same = 0,
    /// 1: it opens a position.
    Open = 1,
    /// 2: it closes a position.
    Close = 2,
    /// 3: unknown.
    Unknown = 3,
}

impl From<LegOpenClose> for i32 {
    fn from(open_close: LegOpenClose) -> Self {
        open_close as Self
    }
}

impl TryFrom<i32> for LegOpenClose {
    type Error = UnknownNumber;

    fn try_from(number: i32) -> Result<Self, Self::Error> {
        match number {
            0 => Ok(Self::Same),
            1 => Ok(Self::Open),
            2 => Ok(Self::Close),
            3 => Ok(Self::Unknown),
            _ => Err(UnknownNumber::new(number, "an open or close of a leg", "0 to 3")),
        }
    }
}

/// The underlying that makes a combination delta-neutral.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct DeltaNeutralContract {
    /// The contract id of the stock or future.
    pub con_id: i32,
    /// Its delta.
    pub delta: Option<f64>,
    /// Its price.
    pub price: Option<f64>,
}

//! The ids that securities have outside of IBKR, with their check digits.

use std::fmt;

/// A CUSIP or an ISIN whose check digit fits.
///
/// ```
/// use ibkr_connect_core::types::SecurityId;
///
/// let bond = SecurityId::cusip("912810RN0")?;
/// assert_eq!((bond.kind(), bond.as_str()), ("CUSIP", "912810RN0"));
/// assert!(SecurityId::isin("US912810RN01").is_err(), "a wrong check digit");
/// # Ok::<(), ibkr_connect_core::types::InvalidSecurityId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecurityId {
    kind: &'static str,
    id: String,
}

impl SecurityId {
    /// A CUSIP: eight characters and a check digit.
    ///
    /// # Errors
    /// When it is none.
    pub fn cusip(id: &str) -> Result<Self, InvalidSecurityId> {
        let is_cusip = |id: &str| id.len() == 9 && cusip_digit(&id[..8]) == id[8..].parse().ok();
        Self::checked("CUSIP", id, is_cusip)
    }

    /// An ISIN: a country, nine characters and a check digit.
    ///
    /// # Errors
    /// When it is none.
    pub fn isin(id: &str) -> Result<Self, InvalidSecurityId> {
        let is_isin = |id: &str| {
            let has_country = id.len() == 12 && id[..2].bytes().all(|byte| byte.is_ascii_uppercase());
            has_country && isin_digit(&id[..11]) == id[11..].parse().ok()
        };
        Self::checked("ISIN", id, is_isin)
    }

    fn checked(kind: &'static str, id: &str, fits: impl Fn(&str) -> bool) -> Result<Self, InvalidSecurityId> {
        let upper = id.trim().to_ascii_uppercase();
        if upper.is_ascii() && fits(&upper) {
            Ok(Self { kind, id: upper })
        } else {
            Err(InvalidSecurityId { kind, id: id.to_owned() })
        }
    }

    /// TWS's name for what it is: `CUSIP` or `ISIN`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// Whether its country code or its kind says that it was issued in North America.
    pub(super) fn is_american(&self) -> bool {
        self.kind == "CUSIP" || self.id.starts_with("US")
    }
}

impl fmt::Display for SecurityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.id)
    }
}

/// Every second value is doubled, and the digits of all are added up.
fn cusip_digit(body: &str) -> Option<u32> {
    let mut sum = 0;
    for (index, character) in body.chars().enumerate() {
        let value = match character {
            '*' => 36,
            '@' => 37,
            '#' => 38,
            character => character.to_digit(36)?,
        };
        let weighted = if index % 2 == 1 { 2 * value } else { value };
        sum += weighted / 10 + weighted % 10;
    }
    Some((10 - sum % 10) % 10)
}

/// Letters become two digits, then every second digit from the right is doubled, and the digits of all are added up.
fn isin_digit(body: &str) -> Option<u32> {
    let mut digits = Vec::new();
    for character in body.chars() {
        let value = character.to_digit(36)?;
        digits.extend((value > 9).then_some(value / 10).into_iter().chain([value % 10]));
    }
    let weighted = |(index, digit): (usize, &u32)| if index % 2 == 0 { 2 * digit } else { *digit };
    let sum: u32 = digits.iter().rev().enumerate().map(weighted).map(|value| value / 10 + value % 10).sum();
    Some((10 - sum % 10) % 10)
}

/// A text that is no such id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSecurityId {
    kind: &'static str,
    id: String,
}

impl fmt::Display for InvalidSecurityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.kind {
            "CUSIP" => "eight letters or digits and their check digit, e.g. 912810RN0",
            _ => "a country, nine letters or digits and their check digit, e.g. US0378331005",
        };
        write!(f, "{:?} is no {}; expected {form}", self.id, self.kind)
    }
}

impl std::error::Error for InvalidSecurityId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_known_securities_have_their_check_digits() {
        for cusip in ["037833100", "912810RN0", "17275R102", "38259P508", "594918104", "68389X105"] {
            assert_eq!(SecurityId::cusip(cusip).unwrap().as_str(), cusip);
        }
        for isin in ["US0378331005", "AU0000XVGZA3", "GB0002634946", "DE0007164600", "US912810RN00"] {
            assert_eq!(SecurityId::isin(isin).unwrap().as_str(), isin);
        }
        assert_eq!(SecurityId::isin(" us0378331005 ").unwrap().as_str(), "US0378331005");
    }

    #[test]
    fn what_is_no_id_says_what_one_looks_like() {
        for wrong in ["", "03783310", "037833101", "0378331000", "03783310é", "ÄÄÄÄ0"] {
            let error = SecurityId::cusip(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{wrong:?} is no CUSIP")), "{error}");
        }
        for wrong in ["", "US0378331006", "0378331005US", "US037833100", "US*378331005"] {
            assert!(SecurityId::isin(wrong).is_err(), "{wrong}");
        }
    }
}

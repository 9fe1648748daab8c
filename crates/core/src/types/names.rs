//! Closed sets of names that TWS knows.

use std::fmt;

/// A text that is none of the names that TWS knows; it displays them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName(String);

impl UnknownName {
    pub(super) fn new(what: &str, text: &str, known: impl IntoIterator<Item = &'static str>) -> Self {
        let known: Vec<_> = known.into_iter().collect();
        Self(format!("{text:?} is no {what}; expected one of: {}", known.join(", ")))
    }
}

/// A number that is none that TWS knows; it displays those that are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownNumber {
    number: i32,
    what: &'static str,
    known: &'static str,
}

impl UnknownNumber {
    pub(super) fn new(number: i32, what: &'static str, known: &'static str) -> Self {
        Self { number, what, known }
    }
}

impl fmt::Display for UnknownNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not {}; expected {}", self.number, self.what, self.known)
    }
}

impl std::error::Error for UnknownNumber {}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownName {}

/// An enum whose text and JSON are TWS's own names.
macro_rules! tws_names {
    ($(#[doc = $doc:literal])+ $Type:ident, $what:literal { $( $(#[$attribute:meta])* $Variant:ident = $name:literal, )+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $Type {
            $( #[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $(#[$attribute])* $Variant, )+
        }

        impl $Type {
            /// Every value, in TWS's order.
            pub const ALL: &'static [Self] = &[$( Self::$Variant ),+];

            /// TWS's name.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $name ),+ }
            }
        }

        impl std::fmt::Display for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $Type {
            type Err = $crate::types::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str().eq_ignore_ascii_case(text.trim()))
                    .ok_or_else(|| $crate::types::UnknownName::new($what, text, Self::ALL.iter().map(|value| value.as_str())))
            }
        }
    };
}

pub(super) use tws_names;

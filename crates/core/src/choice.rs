//! Settings with a few named values.

use std::fmt;

/// A text that is no value of a setting. It displays what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue(String);

impl InvalidValue {
    pub(crate) fn expected(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidValue {}

impl From<InvalidValue> for String {
    fn from(invalid: InvalidValue) -> Self {
        invalid.0
    }
}

/// An enum of configuration words.
macro_rules! choices {
    ($(#[doc = $doc:literal])+ $Type:ident { $( $(#[doc = $vdoc:literal])+ $(#[$attribute:meta])* $Variant:ident = $name:literal, )+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $Type { $( $(#[doc = $vdoc])+ $(#[$attribute])* $Variant, )+ }

        impl $Type {
            /// The word in configuration.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $name, )+ }
            }
        }

        impl std::str::FromStr for $Type {
            type Err = $crate::choice::InvalidValue;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $( $name => Ok(Self::$Variant), )+
                    _ => Err($crate::choice::InvalidValue::expected(format!(
                        "expected one of: {}",
                        [$( $name ),+].join(", ")
                    ))),
                }
            }
        }
    };
}

pub(crate) use choices;

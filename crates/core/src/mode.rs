//! The backends by name. A new one is a row in [`backends!`]; what has to know it then does not compile until it does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::choice::InvalidValue;

macro_rules! backends {
    ($( $(#[$attribute:meta])+ $Variant:ident $name:ident; )+) => {
        /// The values of `IBKR_CONNECTION_MODE`, and what else a connection is made by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[non_exhaustive]
        pub enum ConnectionMode {
            $( $(#[$attribute])+ $Variant, )+
            /// A mock, in tests; it can't be chosen by configuration.
            Mock,
            /// A backend that is not of this library, under a name of its own: a word in small letters that is not the name of
            /// another one. Logs, metrics and JSON show it. It can't be chosen by configuration: the program passes its connector
            /// to the library.
            Other(&'static str),
        }

        impl ConnectionMode {
            /// The modes a user can choose.
            pub const CHOICES: &'static [Self] = &[$( Self::$Variant ),+];

            /// The name in configuration and JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$Variant => stringify!($name), )+
                    Self::Mock => "mock",
                    Self::Other(name) => name,
                }
            }

            /// What `backends` has for this one; `None` for a mode that can't be chosen.
            #[doc(hidden)]
            pub fn of<B: Backends>(self, backends: &B) -> Option<B::Item> {
                match self {
                    $( Self::$Variant => Some(backends.$name()), )+
                    Self::Mock | Self::Other(_) => None,
                }
            }
        }

        /// Something for each mode that can be chosen, such as its connector. A mode that is forgotten does not compile.
        pub trait Backends {
            /// What there is for each of them.
            type Item;

            $(
                #[doc = concat!("For `", stringify!($name), "`.")]
                fn $name(&self) -> Self::Item;
            )+
        }
    };
}

backends! {
    /// ibapi in a worker process of its own.
    #[default]
    Subprocess subprocess;
    /// ibapi in this process, on a thread of its own.
    Direct direct;
}

impl ConnectionMode {
    fn named<'a>(name: &str, among: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        among.into_iter().copied().find(|mode| mode.as_str() == name)
    }
}

impl fmt::Display for ConnectionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ConnectionMode {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let choices = Self::CHOICES;
        Self::named(&text.trim().to_ascii_lowercase(), choices).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|mode| mode.as_str()).collect();
            InvalidValue::expected(format!("expected one of: {}", names.join(", ")))
        })
    }
}

impl Serialize for ConnectionMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ConnectionMode {
    /// The name of a mode of this library: a name of somebody else's backend is known to the program that has it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name, Self::CHOICES.iter().chain([&Self::Mock])).ok_or_else(|| {
            de::Error::custom(format!("{name:?} is no connection mode of this version of ibkr-connect"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    #[test]
    fn a_choice_is_read_by_its_name() {
        for mode in ConnectionMode::CHOICES {
            let name = mode.as_str();
            assert_eq!(name.parse(), Ok(*mode));
            assert_eq!(format!(" {} ", name.to_uppercase()).parse(), Ok(*mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), name);
            assert_eq!(serde_json::from_value::<ConnectionMode>(name.into()).unwrap(), *mode);
        }
    }

    #[test]
    fn what_is_no_choice_is_told_the_choices() {
        for name in ["mock", "toy", "", "sub process"] {
            let refused = name.parse::<ConnectionMode>().unwrap_err();
            assert!(
                refused.to_string().starts_with("expected one of: subprocess, direct"),
                "{name:?}: {refused}"
            );
        }
    }

    #[test]
    fn the_documentation_of_the_setting_names_every_choice() {
        let help = KEYS.iter().find(|key| key.name == "connection_mode").unwrap().help;
        for mode in ConnectionMode::CHOICES {
            assert!(help.contains(&format!("`{mode}`")), "{mode} is missing in config/keys.rs: {help}");
        }
    }

    #[test]
    fn somebody_elses_backend_has_its_own_name() {
        let mode = ConnectionMode::Other("nats");
        assert_eq!((mode.as_str(), format!("{mode:>6}").as_str()), ("nats", "  nats"));
        assert_eq!(serde_json::to_value(mode).unwrap(), "nats");
        let unknown = serde_json::from_str::<ConnectionMode>("\"nats\"").unwrap_err();
        assert!(unknown.to_string().contains("\"nats\" is no connection mode"), "{unknown}");
        let mock = serde_json::from_str::<ConnectionMode>("\"mock\"").unwrap();
        assert_eq!(mock, ConnectionMode::Mock);
    }
}

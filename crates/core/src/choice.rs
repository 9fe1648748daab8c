//! Settings with a few named values.

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
            type Err = String;

            fn from_str(text: &str) -> std::result::Result<Self, String> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $( $name => Ok(Self::$Variant), )+
                    _ => Err(format!("expected one of: {}", [$( $name ),+].join(", "))),
                }
            }
        }
    };
}

pub(crate) use choices;

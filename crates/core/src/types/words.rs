//! Open sets of words of TWS's that programs decide by. TWS may say others one day: they are kept as they came.

/// An enum whose text and JSON are TWS's words, and which keeps a word that it does not know.
macro_rules! tws_words {
    ($(#[doc = $doc:literal])+ $Type:ident { $(#[doc = $nothing:literal])+ $Nothing:ident, $( $(#[doc = $vdoc:literal])+ $Variant:ident = $word:literal, )+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $Type {
            $(#[doc = $nothing])+
            #[default]
            $Nothing,
            $( $(#[doc = $vdoc])+ $Variant, )+
            /// A word that this version does not know.
            Other(String),
        }

        impl $Type {
            /// TWS's word; empty where it says nothing.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::$Nothing => "",
                    $( Self::$Variant => $word, )+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $Type {
            fn from(word: &str) -> Self {
                match word {
                    "" => Self::$Nothing,
                    $( $word => Self::$Variant, )+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $Type {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$Type> for String {
            fn from(word: $Type) -> Self {
                word.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<str> for $Type {
            fn eq(&self, word: &str) -> bool {
                self.as_str() == word
            }
        }

        impl PartialEq<&str> for $Type {
            fn eq(&self, word: &&str) -> bool {
                self.as_str() == *word
            }
        }

        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(&*<std::borrow::Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?))
            }
        }

        /// Any text: a word that nobody knows is TWS's to refuse.
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $Type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    };
}

pub(super) use tws_words;

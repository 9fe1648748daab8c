//! What the table gives as data: [`Request`], [`StreamRequest`], [`Reply`], [`Event`], their JSON in the worker protocol, and
//! [`OPERATIONS`] for listings.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use crate::operation_table;
use crate::params::{Checked, Params};
use crate::types::*;
use crate::{Error, ErrorKind, Result};

/// Whether an operation only reads or can change orders and positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Allowed in a read-only session.
    Read,
    /// Refused in a read-only session.
    Trade,
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Market data: void when the Gateway says so (1101), and to be asked for again.
    Market,
    /// Anything else: it goes on after a 1101.
    Other,
}

/// One row of the table, for listings and documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OperationInfo {
    /// The name in the worker protocol.
    pub command: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Whether it reads or trades.
    pub access: Access,
    /// Whether it is answered once or streams events.
    pub stream: bool,
    /// The Rust type of its parameters; empty when it takes none.
    pub params: &'static str,
    /// The Rust type of its reply or of each event.
    pub reply: &'static str,
}

/// The enums, from all rows.
macro_rules! requests_and_answers {
    (
        requests { $( $(#[doc = $doc:literal])+
            $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
            $(as $Shown:ident)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
            $(as $SShown:ident)?; )+ }
    ) => {
        /// A one-shot operation with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "one per request, and boxes would be in everybody's way")]
        #[non_exhaustive]
        pub enum Request {
            $( $(#[doc = $doc])+ $Variant $( ($Params) )?, )+
        }

        /// The answer to a [`Request`]; it serializes as its data alone.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Reply {
            $( #[doc = concat!("Answers [`Request::", stringify!($Variant), "`].")] $Variant($Reply), )+
        }

        /// A streaming operation with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "one per subscription, and boxes would be in everybody's way")]
        #[non_exhaustive]
        pub enum StreamRequest {
            $( $(#[doc = $sdoc])+ $SVariant $( ($SParams) )?, )+
        }

        /// One event of a stream; it serializes as its data alone.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Event {
            $( #[doc = concat!("An event of [`StreamRequest::", stringify!($SVariant), "`].")] $SVariant($Event), )+
        }

        /// Every operation, in the order of the documentation.
        pub const OPERATIONS: &[OperationInfo] = &[
            $( OperationInfo {
                command: stringify!($method),
                doc: concat!($($doc),+),
                access: Access::$access,
                stream: false,
                params: concat!($( stringify!($Params) )?),
                reply: stringify!($Reply),
            }, )+
            $( OperationInfo {
                command: stringify!($smethod),
                doc: concat!($($sdoc),+),
                access: Access::$saccess,
                stream: true,
                params: concat!($( stringify!($SParams) )?),
                reply: stringify!($Event),
            }, )+
        ];

        questions! { Request RequestParams $( $access $Variant $method($( $param: $Params )?); )+ }
        questions! { StreamRequest StreamParams $( $saccess $SVariant $smethod($( $sparam: $SParams )?); )+ }

        impl Request {
            /// Reads the reply to this request.
            ///
            /// # Errors
            /// `protocol` when the data is not this request's reply.
            pub fn reply_from_json(&self, data: &str) -> Result<Reply> {
                match self { $( Self::$Variant { .. } => parse_data(self.command(), data).map(Reply::$Variant), )+ }
            }
        }

        impl StreamRequest {
            /// Whether it is market data: void when the Gateway says so (1101), and to be asked for again.
            #[doc(hidden)]
            pub fn is_market_data(&self) -> bool {
                let content = match self { $( Self::$SVariant { .. } => Content::$content, )+ };
                content == Content::Market
            }

            /// Reads an event of this stream.
            ///
            /// # Errors
            /// `protocol` when the data is not this stream's event.
            pub fn event_from_json(&self, data: &str) -> Result<Event> {
                match self { $( Self::$SVariant { .. } => parse_data(self.command(), data).map(Event::$SVariant), )+ }
            }
        }
    };
}

/// What requests and stream requests have in common: a command, an access, and parameters that can be read and checked.
macro_rules! questions {
    ($Question:ident $Parameters:ident $( $access:ident $Variant:ident $method:ident($( $param:ident: $Params:ty )?); )+) => {
        impl $Question {
            /// The name in the worker protocol.
            pub fn command(&self) -> &'static str {
                match self { $( Self::$Variant { .. } => stringify!($method), )+ }
            }

            /// Whether it reads or trades.
            pub fn access(&self) -> Access {
                match self { $( Self::$Variant { .. } => Access::$access, )+ }
            }

            /// Its parameters as they stand in the worker protocol, an object.
            pub fn params(&self) -> impl Serialize + '_ {
                $Parameters(self)
            }

            /// Looks at the parameters before they go anywhere. [`Session`](crate::Session) does so, and so does
            /// [`from_json`](Self::from_json).
            ///
            /// # Errors
            /// `invalid_request` when no Gateway could make sense of them, e.g. of a strike that is not a number; the message
            /// says which and what is expected.
            pub fn check(&self) -> Result<()> {
                match self { $( Self::$Variant $( ($param) )? => check!($($param)?), )+ }
                    .map_err(|problem| impossible(self.command(), problem))
            }

            /// The operation named `command`, or `None` if the table has none of this name and kind.
            ///
            /// # Errors
            /// `invalid_request` when the parameters don't fit, and those of [`check`](Self::check); the message says which and
            /// where.
            pub fn from_json(command: &str, params: &str) -> Result<Option<Self>> {
                let question = match command {
                    $( stringify!($method) => read!(command params $Variant $($Params)?), )+
                    _ => return Ok(None),
                };
                question.check().map(|()| Some(question))
            }
        }

        struct $Parameters<'a>(&'a $Question);

        impl Serialize for $Parameters<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 { $( $Question::$Variant $( ($param) )? => serialize!(serializer $($param)?), )+ }
            }
        }

        // A type without a check fails here, at its row.
        $( $( const _: () = is_checked::<$Params>(); )? )+
    };
}

macro_rules! check {
    () => {
        Checked::Ok(())
    };
    ($param:ident) => {
        $param.check()
    };
}

macro_rules! serialize {
    ($serializer:ident) => {
        NoParams {}.serialize($serializer)
    };
    ($serializer:ident $param:ident) => {
        $param.serialize($serializer)
    };
}

macro_rules! read {
    ($command:ident $json:ident $Variant:ident) => {{
        parse_params::<NoParams>($command, $json)?;
        Self::$Variant
    }};
    ($command:ident $json:ident $Variant:ident $Params:ty) => {
        Self::$Variant(parse_params::<$Params>($command, $json)?)
    };
}

operation_table! { requests_and_answers }

/// What every parameter type of the table needs.
const fn is_checked<P: Params + Serialize + DeserializeOwned>() {}

/// No parameters.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// As [`parse`]; what is not an object is refused, though serde would take the fields in their order from an array.
fn parse_params<T: DeserializeOwned>(command: &str, json: &str) -> Result<T> {
    if json.trim_ascii_start().starts_with('{') {
        return parse(command, json, ErrorKind::InvalidRequest);
    }
    let got = json.chars().take(40).collect::<String>();
    Err(unreadable(
        ErrorKind::InvalidRequest,
        format!("{command}: its parameters are an object such as {{}}, and not {got}"),
    ))
}

/// Reads what the other side of a link has answered.
fn parse_data<T: DeserializeOwned>(command: &str, json: &str) -> Result<T> {
    parse(command, json, ErrorKind::Protocol)
}

fn parse<T: DeserializeOwned>(command: &str, json: &str, otherwise: ErrorKind) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let place = if error.is_data() { place_of_error::<T>(json) } else { None };
        let place = place.map(|place| format!(" {}:", cut(&place))).unwrap_or_default();
        let problem = in_json_words(&error.to_string());
        unreadable(otherwise, format!("{command}:{place} {}", cut(&problem))).with_source(error)
    })
}

/// serde's complaint in JSON's words: whoever has written the text knows no type of ours.
pub fn in_json_words(complaint: &str) -> String {
    const BEGINNINGS: [(&str, &str); 7] = [
        ("unknown variant ", "unknown name "),
        ("invalid type: integer ", "invalid type: number "),
        ("invalid type: floating point ", "invalid type: number "),
        ("invalid type: map", "invalid type: object"),
        ("invalid type: sequence", "invalid type: array"),
        ("invalid value: integer ", "invalid value: number "),
        ("EOF while parsing", "the text ends inside"),
    ];
    let found = BEGINNINGS.into_iter().find_map(|(serde, ours)| Some((ours, complaint.strip_prefix(serde)?)));
    let text = found.map_or_else(|| complaint.to_owned(), |(ours, rest)| format!("{ours}{rest}"));
    // What was given may have any words in it; what was expected comes after it.
    let Some((given, expected)) = text.rsplit_once(", expected ") else { return text };
    let (expected, place) =
        expected.split_once(" at line ").map_or((expected, ""), |(what, _)| (what, &expected[what.len()..]));
    let integers = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64"];
    let expected = match expected {
        "f64" | "f32" => "a number",
        unsigned if integers[..5].contains(&unsigned) => "a whole number, 0 or more",
        signed if integers[5..].contains(&signed) => "a whole number",
        "a sequence" => "an array",
        "a map" => "an object",
        text if text.starts_with("struct ") => "an object",
        text if text.starts_with("tuple ") => "an array",
        text if text.starts_with("enum ") => "a name, or an object with one",
        other => other,
    };
    format!("{given}, expected {expected}{place}")
}

/// The field that can't be read, e.g. `contract.strike`. Finding it costs time, so it is looked for only after a failure.
fn place_of_error<T: DeserializeOwned>(json: &str) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
    let path = error.path().to_string();
    // What is not known is named by the error; the place is what it is in.
    let is_unknown = error.inner().to_string().starts_with("unknown field");
    let place = if is_unknown { path.rsplit_once('.')?.0 } else { path.as_str() };
    (place != ".").then(|| place.to_owned())
}

/// What is cited of others' texts: as much as tells which it is. A name that nobody knows may be as long as the line it stands in.
fn cut(text: &str) -> String {
    const BEGINNING: usize = 400;
    const END: usize = 200;
    let length = text.len();
    if length <= BEGINNING + END {
        return text.to_owned();
    }
    let (beginning, end) = (text.floor_char_boundary(BEGINNING), text.ceil_char_boundary(length - END));
    format!("{}…{}", &text[..beginning], &text[end..])
}

fn unreadable(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, message)
        .with_advice("docs/protocol.md lists every command with its parameters and replies")
}

fn impossible(command: &str, problem: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("{command}: {problem}"))
        .with_advice("docs/protocol.md lists every command with its parameters")
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_command_twice() {
        let mut commands: Vec<_> = OPERATIONS.iter().map(|operation| operation.command).collect();
        commands.sort_unstable();
        commands.dedup();
        assert_eq!(commands.len(), OPERATIONS.len());
    }

    #[test]
    fn a_stream_is_market_data_or_not() {
        assert!(StreamRequest::MarketData(MarketDataParams::default()).is_market_data());
        assert!(!StreamRequest::Notices.is_market_data());
    }

    #[test]
    fn a_request_round_trips_through_json() {
        let request = Request::ContractDetails(Contract::stock("AAPL"));
        let params = serde_json::to_string(&request.params()).unwrap();
        assert_eq!(Request::from_json(request.command(), &params).unwrap(), Some(request));
    }

    #[test]
    fn a_request_without_parameters_has_an_empty_object() {
        assert_eq!(serde_json::to_string(&Request::ServerTime.params()).unwrap(), "{}");
        assert_eq!(Request::from_json("server_time", "{}").unwrap(), Some(Request::ServerTime));
    }

    #[test]
    fn wrong_parameters_name_the_command_and_the_field() {
        for (command, params, expected) in [
            (
                "contract_details",
                r#"{"symbol":7}"#,
                "contract_details: symbol: invalid type: number `7`, expected a string at line 1",
            ),
            (
                "historical_bars",
                r#"{"contract":{"strike":"x"}}"#,
                "historical_bars: contract.strike: invalid type: string \"x\", expected a number at line 1",
            ),
            ("historical_bars", r#"{"end":"yesterday"}"#, "historical_bars: end: "),
            (
                "historical_bars",
                r#"{"bar_size":"1 min."}"#,
                "historical_bars: bar_size: unknown name `1 min.`, expected one of `1 secs`",
            ),
            ("positions", r#"{"account":"DU1"}"#, "positions: unknown field `account`"),
            (
                "historical_bars",
                r#"{"contract":{"symbl":""}}"#,
                "historical_bars: contract: unknown field `symbl`",
            ),
            ("positions", "null", "positions: its parameters are an object such as {}, and not null"),
            ("contract_details", "[265598]", "contract_details: its parameters are an object"),
            ("contract_details", "{", "contract_details: the text ends inside an object"),
            (
                "historical_bars",
                r#"{"contract":5}"#,
                "historical_bars: contract: invalid type: number `5`, expected an object at line 1",
            ),
            (
                "historical_ticks",
                r#"{"number_of_ticks":1.5}"#,
                "historical_ticks: number_of_ticks: invalid type: number `1.5`, expected a whole number, 0 or more at",
            ),
            (
                "account_summary",
                r#"{"tags":{}}"#,
                "account_summary: tags: invalid type: object, expected an array at line 1",
            ),
        ] {
            let error = Request::from_json(command, params).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().starts_with(expected), "{error}");
        }
        assert_eq!(Request::from_json("make_me_rich", "{}").unwrap(), None);
    }

    #[test]
    fn what_no_gateway_makes_sense_of_is_refused_with_its_command() {
        let error = StreamRequest::from_json("market_data", "{}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().starts_with("market_data: the contract is empty"), "{error}");
        assert_eq!(
            StreamRequest::MarketData(MarketDataParams::default()).check().unwrap_err().kind(),
            error.kind()
        );
        Request::ServerTime.check().unwrap();
    }
}

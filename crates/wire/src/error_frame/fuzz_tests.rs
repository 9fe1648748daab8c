use ibkr_connect_fuzz::{Target, count};

use super::*;

/// The texts as ibapi has them.
#[derive(Clone, PartialEq, Message)]
struct AsIbapiReads {
    #[prost(int32, optional, tag = "1")]
    id: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    code: Option<i32>,
    #[prost(string, optional, tag = "4")]
    text: Option<String>,
    #[prost(string, optional, tag = "5")]
    advanced_order_reject: Option<String>,
}

/// The body of an error: what we read of it, ibapi reads too, of the frame that goes on.
#[test]
fn error_body() {
    Target::local("error_body", env!("CARGO_MANIFEST_DIR")).run(|body| {
        let Some(error) = ErrorMessage::read(body) else { return "none".to_owned() };
        assert!(error.text().len() <= LONGEST_TEXT);
        let repaired = error.repaired();
        let passed = repaired.as_ref().map_or(body, Frame::body);
        match AsIbapiReads::decode(passed) {
            Ok(read) => {
                assert_eq!(read.text.unwrap_or_default(), error.text());
                assert_eq!(
                    (read.id.unwrap_or(-1), read.code.unwrap_or_default()),
                    (error.id(), error.code())
                );
            }
            Err(unreadable) => assert!(repaired.is_none(), "a repaired one can't be read: {unreadable}"),
        }
        let again = ErrorMessage::read(passed).and_then(|error| error.repaired());
        assert!(again.is_none(), "what was repaired would be repaired again");
        format!("{} {} {}", count(error.text().len()), repaired.is_some(), error.code() == 0)
    });
}

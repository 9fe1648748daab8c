//! Which of the Gateway's errors pass by themselves: whether the same request can succeed later without anybody changing
//! anything. Some codes say it, some stand for pacing and for a wrong request alike, and only their text tells.

/// Codes that say it whatever their text is.
///
/// 100: too many messages a second. 316, 10182 and 10225 ask to subscribe again. 10197: another session of the same user has
/// the data for now.
const PASSING: [i32; 5] = [100, 316, 10182, 10197, 10225];

/// Codes whose text has to be read.
///
/// 162: the service of historical data. 165: the same. 321: validating a request. 322: processing it. 420: real-time bars.
const AMBIGUOUS: [i32; 5] = [162, 165, 321, 322, 420];

/// What the text of an ambiguous code says, in lower case, when the error passes. Sources: IBKR's documents ("pacing violation",
/// "maximum number of"), and reports of users (ib_insync #241, #268 and #293, QuantConnect/Lean #607). The prefix of a text can be
/// in the user's language, so none is expected.
const PASSING_TEXTS: [&str; 16] = [
    "pacing violation",
    "max rate",
    "maximum number of",
    "max number of",
    "simultaneous",
    "too many requests",
    "duplicate",
    "query cancelled",
    "timed out",
    "expired pending request",
    "different ip address",
    "not connected",
    "disconnect",
    "please wait",
    "try again",
    "temporarily",
];

/// Whether the request that was refused with this can succeed a little later.
///
/// # Behavior
/// A text that says nothing of the kind, or is in another language, is taken as final: who repeats a wrong request for ever is
/// worse off than who looks at a right one.
pub(crate) fn is_retryable(code: i32, text: &str) -> bool {
    PASSING.contains(&code) || AMBIGUOUS.contains(&code) && says_it_passes(text)
}

fn says_it_passes(text: &str) -> bool {
    let text = text.to_lowercase();
    PASSING_TEXTS.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Gateways say it.
    const KNOWN: [(bool, i32, &str); 25] = [
        (true, 100, "Max rate of messages per second has been exceeded:max=50 rec=51 (3)"),
        (true, 162, "Historical Market Data Service error message:Historical data request pacing violation"),
        (true, 162, "Historical Market Data Service error message:API historical data query cancelled: 28"),
        (
            true,
            162,
            "Historical Market Data Service error message:Trading TWS session is connected from a different IP address",
        ),
        (
            false,
            162,
            "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART Trades",
        ),
        (
            false,
            162,
            "Historical Market Data Service error message:No market data permissions for ISLAND STK",
        ),
        (false, 162, "Mensaje de error de los servicios de datos de mercado históricos:invalid step: 1"),
        (false, 162, "Historical Market Data Service error message:Time length exceed max."),
        (false, 162, "Historical Market Data Service error message:invalid step: too many bars"),
        (true, 165, "Historical Market Data Service query message:HMDS server disconnect occurred."),
        (false, 165, "Historical Market Data Service query message:no items retrieved"),
        (false, 200, "No security definition has been found for the request"),
        (true, 316, "Market depth data has been HALTED. Please re-subscribe."),
        (
            false,
            321,
            "Error validating request.-'ce' : cause - The API interface is currently in Read-Only mode.",
        ),
        (false, 321, "Error validating request.-'cq' : cause - Invalid account code"),
        (false, 321, "Error validating request.-'bT' : cause - Please enter exchange"),
        (true, 321, "Error validating request.-'bZ' : cause - Not connected"),
        (
            true,
            322,
            "Error processing request.-'ci' : cause - Maximum number of account summary requests exceeded",
        ),
        (true, 322, "Error processing request:Only 50 simultaneous API historical data requests allowed."),
        (true, 322, "Error processing request.-'bW' : cause - Duplicate ticker id"),
        (false, 322, "Error processing request.-'cc' : cause - jextend.cc.n(cc.java:310)"),
        (true, 420, "Invalid Real-time Query:Historical data request pacing violation"),
        (
            false,
            420,
            "Invalid Real-time Query:No market data permissions for ISLAND STK. Requested market data requires additional \
             subscription for API.",
        ),
        (true, 10197, "No market data during competing live session"),
        (false, 10089, "Requested market data requires additional subscription for API."),
    ];

    #[test]
    fn the_text_decides_where_the_number_does_not() {
        for (retryable, code, text) in KNOWN {
            assert_eq!(is_retryable(code, text), retryable, "{code}: {text}");
        }
    }

    #[test]
    fn a_text_counts_with_an_ambiguous_code_only() {
        let pacing = "Historical data request pacing violation";
        for code in AMBIGUOUS {
            assert!(is_retryable(code, &pacing.to_uppercase()), "{code}");
            assert!(!is_retryable(code, ""), "{code}");
        }
        for code in [0, 200, 201, 354, 366, 10089] {
            assert!(!is_retryable(code, pacing), "{code}");
        }
        assert!(PASSING.iter().all(|code| is_retryable(*code, "")));
    }
}

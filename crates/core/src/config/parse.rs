//! Texts into values. Each function says what it expected; the caller adds where the text came from.

use std::time::Duration;

use super::InvalidValue;

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a duration: seconds as a number (`10`, `2.5`), or a number with `ms`, `s`, `m` or `h`.
///
/// # Errors
/// What was expected, when the text is none, not positive, or longer than a day.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidValue> {
    let expected = || {
        InvalidValue::expected(
            "expected a positive number of seconds up to 86400, or one with a unit: 500ms, 10s, 2m",
        )
    };
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(expected()),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| expected())? * factor;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
        .ok_or_else(expected)
}

pub(super) fn host(text: &str) -> Result<String, String> {
    let host = text.trim();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    let is_name =
        !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if is_address || is_name {
        Ok(bare.to_owned())
    } else {
        Err("expected a host name or an IP address, without port or scheme".to_owned())
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| "expected a port number from 1 to 65535".to_owned())
}

pub(super) fn client_id(text: &str) -> Result<i32, String> {
    text.trim().parse().ok().filter(|id| *id >= 0).ok_or_else(|| {
        "expected a client id from 0 to 2147483647; leave it unset for a random one".to_owned()
    })
}

pub(super) fn count(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| "expected a whole number, 0 or more".to_owned())
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_carry_a_unit() {
        for (text, millis) in
            [("10", 10_000), ("2.5", 2_500), ("500ms", 500), (" 3s ", 3_000), ("2m", 120_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "-1", "0", "0ms", "abc", "10 parsecs", "NaN", "inf", "1e300", "25h", "s", "é"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_carry_neither_port_nor_scheme() {
        assert_eq!(host("[::1]"), Ok("::1".to_owned()));
        assert_eq!(host("gateway.local"), Ok("gateway.local".to_owned()));
        for wrong in ["", " ", "localhost:4002", "tcp://localhost", "a b", "host/"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn port_zero_is_no_port() {
        assert_eq!(port("4002"), Ok(4002));
        for wrong in ["0", "abc", "-1", "65536", "4002.0", ""] {
            assert!(port(wrong).is_err(), "{wrong}");
        }
    }
}

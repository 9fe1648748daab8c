//! Account ids in logs: masked, unless somebody asks for them.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::choice::choices;
use crate::plain;

/// What stands for the middle of an account id.
const MASK: &str = "***";

choices! {
    /// How account ids appear in the log.
    LogAccounts {
        /// With their first and last two characters: `DU***67`.
        #[default]
        Masked = "masked",
        /// Whole.
        Full = "full",
    }
}

impl LogAccounts {
    /// Whether it is what holds where nothing is said.
    #[doc(hidden)]
    pub fn is_masked(&self) -> bool {
        *self == Self::Masked
    }

    /// A text as a log may show it, e.g. an error in the Gateway's own words: on one line, and without control characters. It is
    /// masked when it is written.
    #[doc(hidden)]
    pub fn text<T: Display>(self, text: T) -> impl Display {
        Loggable { text, accounts: self }
    }

    /// A line of a log as it is written, ended by its line end alone. For writers of lines in which libraries have a part.
    #[doc(hidden)]
    pub fn line(self, line: &[u8]) -> String {
        let text = String::from_utf8_lossy(line);
        format!("{}\n", self.text(text.strip_suffix('\n').unwrap_or(&text)))
    }

    /// Known account ids as a log may show them, separated by commas.
    #[doc(hidden)]
    pub fn ids(self, accounts: &[String]) -> String {
        match self {
            Self::Masked => accounts.iter().map(|id| mask_account(id)).collect::<Vec<_>>().join(","),
            Self::Full => accounts.join(","),
        }
    }
}

impl Serialize for LogAccounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for LogAccounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

struct Loggable<T> {
    text: T,
    accounts: LogAccounts,
}

impl<T: Display> Display for Loggable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.to_string();
        match self.accounts {
            LogAccounts::Masked => f.write_str(&mask_accounts(&plain(&text))),
            LogAccounts::Full => f.write_str(&plain(&text)),
        }
    }
}

/// An account id with its first and last two characters only: `DU***67`. A short one has nothing to show.
pub fn mask_account(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    match chars.as_slice() {
        [a, b, .., y, z] if chars.len() > 4 => format!("{a}{b}{MASK}{y}{z}"),
        _ => MASK.to_owned(),
    }
}

/// A text in which everything that looks like an account id is masked: one to three capital letters, then five to nine
/// digits. IBKR's are `U1234567`, `DU1234567` (paper), `F1234567` and `DF1234567` (advisors), and the like.
///
/// ```
/// # use ibkr_connect_core::mask_accounts;
/// assert_eq!(mask_accounts("no account DU1234567 here"), "no account DU***67 here");
/// ```
pub fn mask_accounts(text: &str) -> Cow<'_, str> {
    let (mut masked, mut copied) = (String::new(), 0);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let letters = run(&bytes[at..], u8::is_ascii_uppercase);
        let digits = run(&bytes[at + letters..], u8::is_ascii_digit);
        let end = at + letters + digits;
        if (1..=3).contains(&letters) && (5..=9).contains(&digits) && !is_strike(bytes, at, letters) {
            masked.push_str(&text[copied..at]);
            masked.push_str(&mask_account(&text[at..end]));
            copied = end;
        }
        at = end.max(at + 1);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[copied..]);
    Cow::Owned(masked)
}

fn run(bytes: &[u8], belongs: fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(byte)).count()
}

/// Whether it is the strike of an option's symbol: `AAPL  240119C00150000`.
fn is_strike(bytes: &[u8], at: usize, letters: usize) -> bool {
    letters == 1 && matches!(bytes[at], b'C' | b'P') && at > 0 && bytes[at - 1].is_ascii_digit()
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_shows_its_first_and_last_two_characters() {
        assert_eq!(mask_account("DU1234567"), "DU***67");
        assert_eq!(mask_account("U12345"), "U1***45");
        assert_eq!(mask_account("DU1"), "***");
    }

    #[test]
    fn accounts_are_found_wherever_they_stand() {
        for (text, masked) in [
            ("DU1234567", "DU***67"),
            ("accounts: [\"DU1234567\", \"U7654321\"]", "accounts: [\"DU***67\", \"U7***21\"]"),
            ("group DF1234567A is unknown", "group DF***67A is unknown"),
            (r"\n\x08DU123456\x12", r"\n\x08DU***56\x12"),
            ("für DU1234567 é", "für DU***67 é"),
        ] {
            assert_eq!(mask_accounts(text), masked);
        }
    }

    #[test]
    fn what_only_resembles_one_stays() {
        for text in [
            "",
            "AAPL  240119C00150000",
            "ISIN US0378331005",
            "ESZ4 ABCD12345 du1234567 U1234 code 1234567",
            "2026-03-04T15:00:00Z",
        ] {
            assert!(matches!(mask_accounts(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn the_words_of_others_begin_no_line_of_the_log() {
        let words = "farm is OK\nERROR ibkr_connect: forged DU1234567\u{1b}[2J\n";
        let line = r"farm is OK\u000aERROR ibkr_connect: forged DU***67\u001b[2J";
        assert_eq!(LogAccounts::Masked.line(words.as_bytes()), format!("{line}\n"));
        assert_eq!(LogAccounts::Full.text("a\nb").to_string(), r"a\u000ab");
    }

    #[test]
    fn asked_for_they_are_whole() {
        let accounts = ["DU1234567".to_owned(), "DU1".to_owned()];
        assert_eq!(LogAccounts::Masked.ids(&accounts), "DU***67,***");
        assert_eq!(LogAccounts::Full.ids(&accounts), "DU1234567,DU1");
        assert_eq!(LogAccounts::Masked.text("in DU1234567").to_string(), "in DU***67");
        assert_eq!(LogAccounts::Full.text("in DU1234567").to_string(), "in DU1234567");
    }
}

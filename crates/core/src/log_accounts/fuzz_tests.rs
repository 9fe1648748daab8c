use ibkr_connect_fuzz::{Target, count};

use super::*;
use crate::plain_lines;

/// The words of others, on their way into the log and to a terminal.
#[test]
fn log_text() {
    Target::local("log_text", env!("CARGO_MANIFEST_DIR")).longest(512).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let masked = mask_accounts(&text);
        assert_eq!(mask_accounts(&masked), masked, "an account is left");
        for accounts in [LogAccounts::Masked, LogAccounts::Full] {
            let line = accounts.line(bytes);
            let (line, end) = line.split_at(line.len() - 1);
            assert!(end == "\n" && !line.contains(char::is_control), "{line:?}");
            assert!(line.len() <= 6 * text.len(), "{} bytes of {}", line.len(), text.len());
        }
        let shown = plain(&text);
        assert_eq!(plain(&shown), shown);
        let lines = plain_lines(&text);
        assert!(!lines.contains(|letter: char| letter.is_control() && letter != '\n'));
        assert_eq!(lines.matches('\n').count(), text.matches('\n').count());
        format!("{} {}", count(masked.matches("***").count()), count(shown.len().saturating_sub(text.len())))
    });
}

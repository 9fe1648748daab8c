//! Text of others on a terminal or in a log: it may say anything, but control nothing.

use std::borrow::Cow;

/// `text` with each control character, and each that turns the direction of what follows, as `\u001b`, a new line included: it
/// neither moves a cursor nor begins a line of its own. Inside JSON it means the same as before.
///
/// ```
/// # use ibkr_connect_core::plain;
/// assert_eq!(plain("farm\u{1b}[2J ok\nERROR"), r"farm\u001b[2J ok\u000aERROR");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    escape(text, is_unprintable)
}

/// The same for a text of ours that has lines: only their ends are kept.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    escape(text, |letter| letter != '\n' && is_unprintable(letter))
}

fn is_unprintable(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, is_escaped: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_escaped(letter) {
            plain.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            plain.push(letter);
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_shown_and_not_obeyed() {
        for (text, shown) in [
            ("\u{1b}]0;owned\u{7}", r"\u001b]0;owned\u0007"),
            ("a\r\nERROR b", r"a\u000d\u000aERROR b"),
            ("\u{9b}31m\u{7f}", r"\u009b31m\u007f"),
            ("DU\u{202e}321\u{2066}", r"DU\u202e321\u2066"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert!(matches!(plain("für 3 €, 日本"), Cow::Borrowed(_)));
        assert_eq!(plain_lines("a\n\u{1b}b\n"), "a\n\\u001bb\n");
    }

    #[test]
    fn in_json_it_means_the_same() {
        let text = "\u{9b}\u{7f}\u{202e}\u{1b}";
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(serde_json::from_str::<String>(&plain(&json)).unwrap(), text);
    }
}

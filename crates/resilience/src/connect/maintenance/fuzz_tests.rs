use ibkr_connect_fuzz::{Target, count};

use super::*;

#[test]
fn maintenance_toml() {
    // A time zone is a table of its own.
    Target::local("maintenance_toml", env!("CARGO_MANIFEST_DIR")).memory(4 << 20, 1_024).run(|bytes| {
        let windows = match Windows::parse(&String::from_utf8_lossy(bytes)) {
            Ok(windows) => windows,
            Err(error) => {
                assert!(error.contains("window") || error.contains("TOML"), "no place is named: {error}");
                return error;
            }
        };
        let mut words = String::new();
        for now in ["-009999-01-02T01:59:59Z", "2026-03-18T06:30:00Z", "9999-12-30T22:00:00.5Z"] {
            for region in [None, Some(Region::Europe), Some(Region::None)] {
                let reset = windows.at(now.parse().unwrap(), region);
                assert!(region.is_none() || !matches!(reset, Reset::Possible(_)));
                words.push_str(if reset.advice().is_some() { "open " } else { "shut " });
            }
        }
        format!("{} {words}", count(windows.0.len()))
    });
}

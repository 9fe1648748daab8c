use ibkr_connect_fuzz::Target;

use super::*;

#[test]
fn time_texts() {
    // A time zone is a table of its own.
    Target::local("time_texts", env!("CARGO_MANIFEST_DIR")).longest(128).memory(4 << 20, 64).run(|bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match tws_time(text.clone()) {
            TwsTime::Text(same) => {
                assert_eq!(same, text);
                "a text".to_owned()
            }
            TwsTime::Time(time) => {
                let again = time.strftime("%Y%m%d-%H:%M:%S%.fZ").to_string();
                assert_eq!(tws_time(again.clone()), TwsTime::Time(time), "{text:?} as {again:?}");
                format!("a time {}", text.split(' ').count())
            }
        }
    });
}

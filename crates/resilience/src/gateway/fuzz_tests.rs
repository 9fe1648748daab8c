use ibkr_connect_fuzz::Target;

use super::*;

/// Hosts as a user writes them, and the names of files that stand for them.
#[test]
fn gateway_names() {
    Target::local("gateway_names", env!("CARGO_MANIFEST_DIR")).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let found = Gateway::from_file_stem(&text);
        if let Some(found) = &found {
            let stems = [Some(found.file_stem()), found.older_file_stem()];
            assert!(stems.contains(&Some(text.clone().into_owned())), "{found:?}");
        }
        let asked = Gateway::new(&text, 4002);
        let stem = asked.file_stem();
        assert!(!stem.contains(['/', '\0']), "{stem}");
        if asked.asked.is_none() {
            assert_eq!(Gateway::from_file_stem(&stem).as_ref(), Some(&asked), "{stem}");
        }
        format!("{} {} {}", found.is_some(), asked.is_local(), asked.is_name())
    });
}

//! The documents are true: the table of settings is the one in the code, and what they link to exists.

use std::path::Path;

use ibkr_connect_core::config::KEYS;

#[test]
fn the_settings_in_the_readme_are_the_ones_in_the_code() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the repository has one");
    let (_, rest) = readme.split_once("<!-- settings:").expect("README.md marks its table of settings");
    let (table, _) = rest.split_once("<!-- end of settings -->").expect("and its end");
    let shown: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let real: Vec<_> =
        KEYS.iter().map(|key| format!("| `{}` | {} | {} |", key.variable, key.default, key.help)).collect();
    assert_eq!(shown, real);
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/gateway-behaviour.md",
        "docs/ibapi-traps.md",
        "docs/protocol.md",
        "docs/security.md",
        "docs/state.md",
        "SECURITY.md",
        "docs/tws-protocol.md",
        "docs/zombies.md",
    ] {
        let path = root.join(document);
        let text = std::fs::read_to_string(&path).expect("the document exists");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(path.with_file_name(file).exists(), "{document} links to {link}, which does not exist");
        }
    }
}

/// A threat without a test is listed under "Open".
#[test]
fn every_threat_names_files_with_tests() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let text = std::fs::read_to_string(docs.join("security.md")).expect("the document exists");
    let (_, rest) = text.split_once("## Threats and their tests").expect("its threats");
    let (threats, _) = rest.split_once("\n## Open").expect("what is open");
    let rows = threats.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat"));
    let mut count = 0;
    for row in rows {
        count += 1;
        let tests = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let links = tests.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        let files: Vec<_> = links.map(|link| docs.join(link)).collect();
        assert!(!files.is_empty(), "no test is named: {row}");
        for file in files {
            assert!(has_tests(&file), "{} has no test: {row}", file.display());
        }
    }
    assert!(count > 20, "only {count} threats were found");
}

/// Whether tests are in the file, in one beside it that it includes, or, of a folder, in one of its files.
fn has_tests(path: &Path) -> bool {
    if path.is_dir() {
        let files = std::fs::read_dir(path).expect("a folder").filter_map(Result::ok);
        return files.into_iter().any(|entry| has_tests(&entry.path()));
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    ["#[test]", "#[tokio::test", "#[cfg(test)]", "Trial::test", "proptest!", "on_real_backends!"]
        .iter()
        .any(|mark| text.contains(mark))
}

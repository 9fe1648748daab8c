//! The README's table of settings is the table in the code.

use ibkr_connect_core::config::KEYS;

const README: &str = include_str!("../../../README.md");

#[test]
fn the_settings_in_the_readme_are_the_ones_in_the_code() {
    let (_, rest) = README.split_once("<!-- settings:").expect("README.md marks its table of settings");
    let (table, _) = rest.split_once("<!-- end of settings -->").expect("and its end");
    let shown: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let real: Vec<_> =
        KEYS.iter().map(|key| format!("| `{}` | {} | {} |", key.variable, key.default, key.help)).collect();
    assert_eq!(shown, real);
}

//! `settings`: every setting with its value, and who has said so.

use ibkr_connect::config::{Setting, Source};
use serde_json::{Value, json};

use crate::output::{Format, Output, print_lines, table};

/// Shows them in the order of the documentation.
pub(crate) fn run(settings: &[Setting], output: &Output) -> anyhow::Result<()> {
    match output.format {
        Format::Json => output.json(&settings.iter().map(to_json).collect::<Vec<_>>())?,
        Format::Table => {
            let cells = settings
                .iter()
                .map(|setting| vec![setting.key.variable.to_owned(), setting.value.clone(), place(setting)]);
            print_lines(&table(&["setting", "value", "from"], cells).to_string())?;
        }
    }
    Ok(())
}

fn to_json(setting: &Setting) -> Value {
    let Setting { key, value, source, .. } = setting;
    let value = Some(value).filter(|_| is_value(setting));
    json!({
        "name": key.name,
        "variable": key.variable,
        "value": value,
        "source": source.as_str(),
        "file": file(source),
    })
}

/// Whether a default is a value, and not the description of one.
fn is_value(setting: &Setting) -> bool {
    setting.source != Source::Default || !setting.key.is_optional() || setting.key.name == "state_dir"
}

/// The file that has said so, with its whole path.
fn file(source: &Source) -> Option<String> {
    let (Source::File(path) | Source::DotEnv(path)) = source else { return None };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    Some(path.display().to_string())
}

fn place(setting: &Setting) -> String {
    let Setting { key, source, .. } = setting;
    match (file(source), source) {
        (Some(file), _) => file,
        (None, Source::Default) => "default".to_owned(),
        (None, Source::Flag) => source.place(key),
        (None, _) => format!("the {}", source.as_str()),
    }
}

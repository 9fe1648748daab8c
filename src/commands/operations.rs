//! `commands`: the operations of the table, and what each takes.

use ibkr_connect::operations::{
    OperationGuide, Parameter, operation_guides, operation_schema, operations_schema,
};
use serde_json::Value;

use crate::cli::Commands;
use crate::output::{Format, Output, print_line, print_lines, table};

/// Lists all of them, or describes one.
pub(crate) fn run(output: &Output, arguments: &Commands) -> anyhow::Result<()> {
    if arguments.schema {
        let schema =
            arguments.command.as_deref().and_then(operation_schema).unwrap_or_else(operations_schema);
        match output.format {
            Format::Json => output.json(&schema)?,
            Format::Table => print_lines(&serde_json::to_string_pretty(&schema)?)?,
        }
        return Ok(());
    }
    let mut guides = operation_guides();
    if let Some(command) = &arguments.command {
        guides.retain(|guide| guide.info.command == command);
        for guide in &guides {
            match output.format {
                Format::Json => output.json(guide)?,
                Format::Table => describe(guide)?,
            }
        }
        return Ok(());
    }
    let header = ["command", "kind", "what it is"];
    Ok(output.rows(&guides, &header, |guide: &OperationGuide| {
        let doc = guide.info.doc.trim();
        let sentence = doc.find(". ").map_or(doc, |end| &doc[..end]).trim_end_matches('.');
        vec![guide.info.command.to_owned(), kind(guide).to_owned(), sentence.to_owned()]
    })?)
}

fn describe(guide: &OperationGuide) -> std::io::Result<()> {
    let OperationGuide { info, parameters, objects, answer, .. } = guide;
    print_line(&format!("{}: {}", info.command, info.doc.trim()))?;
    let answered = if info.stream { "each event is" } else { "answered with" };
    print_line(&format!("a {}, {answered} {answer}; `--schema` has all types", kind(guide)))?;
    if parameters.is_empty() {
        return print_line("no parameters");
    }
    print_parameters("parameter", parameters)?;
    objects.iter().try_for_each(|object| print_parameters(&object.name, &object.fields))
}

fn print_parameters(title: &str, parameters: &[Parameter]) -> std::io::Result<()> {
    let cells = parameters.iter().map(|parameter| {
        let Parameter { name, type_name, doc, .. } = parameter;
        vec![name.clone(), type_name.clone(), default_in_words(parameter), doc.clone()]
    });
    print_lines(&table(&[title, "type", "default", "what it is"], cells).to_string())
}

fn kind(guide: &OperationGuide) -> &'static str {
    if guide.info.stream { "stream" } else { "request" }
}

fn default_in_words(parameter: &Parameter) -> String {
    match &parameter.default {
        None if parameter.required => "must be given".to_owned(),
        None => "none".to_owned(),
        Some(Value::Object(_)) => "see below".to_owned(),
        Some(default) => default.to_string(),
    }
}

//! Every command line that README, book and documents tell a user to type: those of `ibkr-connect` are run against a simulator,
//! those of cargo are held against the packages of this repository.

use std::fs;
use std::path::{Path, PathBuf};

use ibkr_connect_sim::{SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::Value;

use crate::ongoing::Ongoing;
use crate::support::host::{Finished, User};

/// What somebody is told to type.
struct Typed {
    document: PathBuf,
    line: String,
    words: Vec<String>,
}

impl Typed {
    fn new(document: &Path, line: &str) -> Self {
        let comment = line.find(" # ").unwrap_or(line.len());
        let words = shell_words::split(&line[..comment]).unwrap();
        Self { document: document.to_owned(), line: line.to_owned(), words }
    }

    fn place(&self) -> String {
        format!("{}: {}", self.document.display(), self.line)
    }

    /// The word after this one.
    fn after(&self, flag: &str) -> Option<&str> {
        let place = self.words.iter().position(|word| word == flag)?;
        self.words.get(place + 1).map(String::as_str)
    }
}

#[test]
fn what_the_readme_has_one_type_works() {
    let lines = shown(&[root().join("README.md")], "ibkr-connect");
    assert!(lines.len() >= 14, "only {} lines were found", lines.len());
    lines.iter().for_each(run);
}

#[test]
fn what_the_documents_have_one_type_works() {
    let lines = shown(&pages(), "ibkr-connect");
    assert!(lines.len() >= 20, "only {} lines were found", lines.len());
    lines.iter().for_each(run);
}

#[test]
fn commands_that_a_sentence_names_exist() {
    let documents: Vec<_> = pages().into_iter().chain([root().join("README.md")]).collect();
    let named = named(&documents, "ibkr-connect");
    assert!(named.len() >= 12, "only {} were found", named.len());
    let user = User::new();
    for typed in named {
        let words = typed.words[1..].iter().map(String::as_str).chain(["--help"]);
        let finished = Finished::of(user.command(words));
        assert_eq!(finished.code, 0, "{}: {finished:?}", typed.place());
    }
}

#[test]
fn what_cargo_is_told_to_do_it_can() {
    let mut documents = pages();
    documents.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let packages = Packages::of_this_repository();
    let lines: Vec<_> =
        [shown(&documents, "cargo"), named(&documents, "cargo")].into_iter().flatten().collect();
    assert!(lines.len() >= 20, "only {} lines were found", lines.len());
    for typed in lines {
        packages.check(&typed);
    }
}

/// Runs it as it stands, but for a port and a length that fit a test.
fn run(typed: &Typed) {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let mut words: Vec<_> = typed.words[1..].iter().map(String::as_str).collect();
    for at in 1..words.len() {
        match words[at - 1] {
            "--port" => words[at] = "0",
            "--duration" => words[at] = "300ms",
            _ => {}
        }
    }
    let goes_on = matches!(words[0], "sim" | "watch");
    let json = goes_on && !words.contains(&"--json");
    let mut command = user.command(words.into_iter().chain(json.then_some("--json")));
    command.env("IBKR_PORT", gateway.port().to_string());
    if goes_on {
        let ongoing = Ongoing::start(command);
        assert!(ongoing.json().is_object(), "{}", typed.place());
        assert_eq!(ongoing.end(Signal::INT).0, 0, "{}", typed.place());
    } else {
        let finished = Finished::of(command);
        assert_eq!(finished.code, 0, "{}: {finished:?}", typed.place());
        assert!(!finished.stdout.is_empty(), "{}", typed.place());
    }
}

/// The packages of this repository, as cargo describes them.
struct Packages(Vec<Value>);

impl Packages {
    fn of_this_repository() -> Self {
        let user = User::new();
        let manifest = root().join("Cargo.toml");
        let arguments = [
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
            "--manifest-path",
            manifest.to_str().unwrap(),
        ];
        let described = Finished::of(user.program(Path::new(env!("CARGO")), arguments));
        assert_eq!(described.code, 0, "{described:?}");
        let described: Value = serde_json::from_str(&described.stdout).unwrap();
        Self(described["packages"].as_array().unwrap().clone())
    }

    fn check(&self, typed: &Typed) {
        let place = typed.place();
        for (flag, kind) in
            [("--example", "example"), ("--test", "test"), ("--bin", "bin"), ("--bench", "bench")]
        {
            if let Some(name) = typed.after(flag) {
                assert!(self.has_target(kind, name), "{place}");
            }
        }
        let positional = typed.words[2..].iter().find(|word| !word.starts_with('-')).map(String::as_str);
        match typed.words[1].as_str() {
            "install" => {
                let package = match typed.after("--path") {
                    Some(path) => self.at(path),
                    None => self.named(typed.words.last().unwrap()),
                };
                let package = package.unwrap_or_else(|| panic!("no such package: {place}"));
                assert!(targets(package).any(|(kind, _)| kind == "bin"), "{place}");
            }
            "add" => {
                let is_known = match typed.after("--path") {
                    Some(path) => self.at(path).is_some(),
                    None => {
                        ["tokio", "tempfile"].contains(&positional.unwrap())
                            || self.named(typed.words.last().unwrap()).is_some()
                    }
                };
                assert!(is_known, "no such package: {place}");
                let offered =
                    typed.line.split_once("--features ").filter(|_| typed.after("--path").is_some());
                let feature = offered.and_then(|(_, rest)| rest.split(' ').next());
                let package = typed.after("--path").and_then(|path| self.at(path));
                let has =
                    |feature: &str| package.is_some_and(|package| package["features"].get(feature).is_some());
                assert!(feature.is_none_or(has), "no such feature: {place}");
            }
            "run" => {
                let passed = typed.words.iter().skip_while(|word| *word != "--").skip(1);
                let words = passed.map(String::as_str).chain(["--help"]);
                assert_eq!(Finished::of(User::new().command(words)).code, 0, "{place}");
            }
            "build" | "test" | "bench" => {}
            other => panic!("how is `cargo {other}` checked? {place}"),
        }
    }

    fn has_target(&self, kind: &str, name: &str) -> bool {
        self.0.iter().flat_map(targets).any(|target| target == (kind, name))
    }

    fn named(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|package| package["name"] == name)
    }

    /// The package in this folder. A project of the user's lies beside the repository.
    fn at(&self, path: &str) -> Option<&Value> {
        let folder = match path.strip_prefix("../ibkr-connect/") {
            Some(inside) => root().join(inside),
            None if path == "." => root().to_owned(),
            None => return None,
        };
        let manifest = folder.join("Cargo.toml");
        self.0.iter().find(|package| package["manifest_path"].as_str().map(Path::new) == Some(&manifest))
    }
}

/// Kind and name of what a package has cargo build.
fn targets(package: &Value) -> impl Iterator<Item = (&str, &str)> {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets.map(|target| (target["kind"][0].as_str().unwrap(), target["name"].as_str().unwrap()))
}

/// What stands behind a prompt and begins with `program`, which variables may come before.
fn shown(documents: &[PathBuf], program: &str) -> Vec<Typed> {
    let mut found = Vec::new();
    for document in documents {
        let text = fs::read_to_string(document).unwrap();
        for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("$ ")) {
            let begin =
                line.split(' ').take_while(|word| word.contains('=')).map(|word| word.len() + 1).sum();
            if line[begin..].starts_with(&format!("{program} ")) {
                found.push(Typed::new(document, &line[begin..]));
            }
        }
    }
    found
}

/// What a sentence names, in backticks.
fn named(documents: &[PathBuf], program: &str) -> Vec<Typed> {
    let mut found = Vec::new();
    for document in documents {
        let text = fs::read_to_string(document).unwrap();
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.starts_with("```");
            if is_code || line.starts_with("```") {
                continue;
            }
            let spans = line.split('`').skip(1).step_by(2);
            let spans = spans.filter(|span| span.starts_with(&format!("{program} ")));
            found.extend(spans.map(|span| Typed::new(document, span)));
        }
    }
    found
}

/// The pages of the book and of the other documents.
fn pages() -> Vec<PathBuf> {
    let folders = ["docs", "docs/book/src"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|file| file.unwrap().path());
    let mut pages: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "md")).collect();
    pages.sort_unstable();
    pages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

//! The committed inputs of a target: one a file.

use std::fs;
use std::path::Path;

/// An input that is kept, under the name that says what it is.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All inputs in a directory, by name. A target without any finds nothing, so that is an error.
///
/// # Panics
/// When there is none.
pub(crate) fn read(directory: &Path) -> Vec<Seed> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("the corpus {} can't be read: {error}", directory.display()));
    let mut seeds: Vec<Seed> = entries
        .map(|entry| {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", directory.display())).path();
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Seed { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes }
        })
        .collect();
    assert!(!seeds.is_empty(), "the corpus {} is empty", directory.display());
    seeds.sort_by(|one, other| one.name.cmp(&other.name));
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a", "c"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let names: Vec<_> = read(dir.path()).into_iter().map(|seed| seed.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    #[should_panic(expected = "is empty")]
    fn an_empty_corpus_is_an_error() {
        read(tempfile::tempdir().unwrap().path());
    }
}

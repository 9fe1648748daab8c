//! The programs in the book (docs/book) are compiled and run: each of its pages is the documentation of a module here, and
//! `cargo test` runs what stands in documentation.

#![forbid(unsafe_code)]

/// A module per page.
macro_rules! pages {
    ($($module:ident = $file:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../docs/book/src/", $file))]
            mod $module {}
        )*

        #[cfg(test)]
        const PAGES: &[&str] = &[$($file),*];
    };
}

pages! {
    quick_start = "quick-start.md",
    modes = "modes.md",
    supervised = "supervised.md",
    testing = "testing.md",
    zombies = "zombies.md",
    operations = "operations.md",
    moving = "moving.md",
    protocol = "protocol.md",
    faq = "faq.md",
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::PAGES;

    #[test]
    fn every_page_is_in_the_summary_and_compiled_here() {
        let summary = fs::read_to_string(source().join("SUMMARY.md")).unwrap();
        let chapters: Vec<_> = links(&summary).collect();
        assert_eq!(chapters, PAGES);
        let mut files: Vec<_> = fs::read_dir(source())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "SUMMARY.md" && name.ends_with(".md"))
            .collect();
        files.sort();
        let mut pages = PAGES.to_vec();
        pages.sort_unstable();
        assert_eq!(files, pages);
    }

    #[test]
    fn what_a_page_links_to_or_includes_exists() {
        for page in PAGES {
            let text = fs::read_to_string(source().join(page)).unwrap();
            let included = text.split("{{#include ").skip(1).filter_map(|rest| rest.split_once("}}"));
            // What is included is a part of the page, with its links.
            let included = included.map(|(file, _)| fs::read_to_string(source().join(file)).unwrap());
            for text in std::iter::once(text.clone()).chain(included) {
                for target in
                    links(&text).filter(|target| !target.contains("://") && !target.starts_with('#'))
                {
                    let file = target.split('#').next().unwrap_or_default();
                    assert!(source().join(file).exists(), "{page} leads to {target}, which does not exist");
                }
            }
        }
    }

    fn links(text: &str) -> impl Iterator<Item = &str> {
        text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
    }

    fn source() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src")
    }
}

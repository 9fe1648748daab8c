use ibkr_connect_fuzz::Target;

use super::*;
use crate::clock::Clock;
use crate::clock::manual::ManualClock;
use crate::holder::Holder;
use crate::names::{Kept, client_lock, client_of, is_worker};

/// The note in a lock file.
#[test]
fn lock_note() {
    let now = ManualClock::new().now();
    Target::local("lock_note", env!("CARGO_MANIFEST_DIR")).run(|bytes| match parse::<Holder>(bytes) {
        Note::Of(owner) => {
            let written = serde_json::to_vec(&owner).unwrap();
            assert!(written.len() > LONGEST_NOTE || parse(&written) == Note::Of(owner.clone()), "{owner:?}");
            format!("a note {}", owner.describe(&now))
        }
        Note::None => "none".to_owned(),
        Note::Foreign => {
            assert!(bytes.len() > LONGEST_NOTE || !begins_like_ours(bytes));
            "foreign".to_owned()
        }
        Note::Unclear => {
            let error = serde_json::from_slice::<Holder>(bytes.trim_ascii_end()).unwrap_err();
            format!("unclear: {error}")
        }
    });
}

/// The names in a state directory: those that are ours are those that we would give.
#[test]
fn state_names() {
    Target::local("state_names", env!("CARGO_MANIFEST_DIR")).run(|bytes| {
        let name = String::from_utf8_lossy(bytes);
        let client = client_of(&name);
        assert!(client.is_none_or(|id| client_lock(id) == name));
        let is_worker = is_worker(&name);
        assert!(!is_worker || name.len() < 40 && !name.contains(['/', '\0']));
        let kinds: Vec<_> = Kept::ALL.into_iter().filter(|kept| kept.stem(&name).is_some()).collect();
        for kept in &kinds {
            let stem = kept.stem(&name).unwrap();
            assert!(name.starts_with(&kept.of(stem)) || name == kept.of(stem), "{name}");
        }
        format!("{} {is_worker} {kinds:?}", client.is_some())
    });
}

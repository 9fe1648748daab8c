use ibkr_connect_fuzz::Target;

use super::*;

#[test]
fn worker_entry() {
    Target::local("worker_entry", env!("CARGO_MANIFEST_DIR")).run(|bytes| {
        let Some(record) = parse(bytes) else {
            return serde_json::from_slice::<WorkerRecord>(bytes).unwrap_err().to_string();
        };
        assert!(names::is_worker(&record.file_name()), "{}", record.file_name());
        assert_eq!(parse(&serde_json::to_vec(&record).unwrap()).as_ref(), Some(&record));
        format!("an entry {}", record.place == Place::default())
    });
}

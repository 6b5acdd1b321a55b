//! The stores that need nothing but this machine: `cargo bench -p doorkey-store --features encrypted --bench store`.
//!
//! Those that need a daemon are measured by the same function in `tests/services`.

#![expect(
    clippy::unwrap_used,
    reason = "what does not work here ends the measurement"
)]

mod measure;

use criterion::Criterion;
use doorkey_store::Store;
#[cfg(feature = "encrypted")]
use doorkey_store::{KeySource, SealingKey};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measure::measure(&mut criterion, "memory", SIZES, |_| (Store::memory(), ()));
    #[cfg(feature = "file")]
    measure::measure(&mut criterion, "file", SIZES, |_| {
        let folder = tempfile::tempdir().unwrap();
        (Store::file(folder.path().join("store")).unwrap(), folder)
    });
    #[cfg(feature = "encrypted")]
    measure::measure(&mut criterion, "encrypted-file", SIZES, |_| {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::Key(SealingKey::generate().unwrap());
        let store = Store::encrypted_file(folder.path().join("store"), key).unwrap();
        (store, folder)
    });
    criterion.final_summary();
}

const SIZES: &[usize] = &[1, 100, 10_000];

//! What stores promise: the same laws for every backend, then what only files can get wrong, then real processes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod apart;
mod conformance;
mod migrate;
mod typed;

#[path = "../../examples/own_backend.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod own_backend;

#[cfg(feature = "encrypted")]
mod encrypted;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "file")]
mod fixtures;
#[cfg(all(unix, feature = "file"))]
mod hostile;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(all(unix, feature = "file"))]
mod processes;
#[cfg(feature = "file")]
mod unread;

mod memory {
    use std::sync::Arc;

    use doorkey_store::MemoryBackend;

    use crate::conformance::{Fixture, conforms};

    fn fixture() -> Fixture {
        let backend = Arc::new(MemoryBackend::new());
        Fixture::new(move || backend.clone(), ())
    }

    conforms!(fixture);
}

/// The example of a store of one's own keeps the same laws.
mod own {
    use std::sync::Arc;

    use crate::conformance::{Fixture, conforms};
    use crate::own_backend::TableBackend;

    fn fixture() -> Fixture {
        let backend = Arc::new(TableBackend::default());
        Fixture::new(move || backend.clone(), ())
    }

    conforms!(fixture);
}

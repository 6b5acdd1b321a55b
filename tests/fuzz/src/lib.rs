//! What the fuzz targets do with an input; how to run them is in `docs/reliability.md`.
//!
//! Each target is one function over bytes that panics when a promise is broken: about what a parser accepts, about
//! what it makes of it, and about what it says when it refuses. Under `cargo fuzz` the programs in `src/bin` hand it
//! inputs that libFuzzer makes up; built as everything else they hand it the files that are named, so that a finding is
//! seen again without a fuzzer. The inputs in `corpus` are replayed by an ordinary test.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a target panics where a promise is broken: that is what it is for"
)]

mod authorization_server_metadata;
mod callback_query;
mod challenges;
mod config;
mod registration_answer;
mod replay;
mod resource_metadata;
mod servers;
mod shown;
mod sse_events;
mod store_file;
mod store_record;
mod token_answer;

pub use authorization_server_metadata::authorization_server_metadata;
pub use callback_query::callback_query;
pub use challenges::challenges;
pub use config::config;
#[cfg(fuzzing)]
pub use libfuzzer_sys;
pub use registration_answer::registration_answer;
pub use replay::replay;
pub use resource_metadata::resource_metadata;
pub use sse_events::sse_events;
pub use store_file::store_file;
pub use store_record::store_record;
pub use token_answer::token_answer;

/// A target: it returns when every promise was kept with this input.
pub type Target = fn(&[u8]);

/// The targets by the name of their program and of their folder in `corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    (
        "authorization_server_metadata",
        authorization_server_metadata,
    ),
    ("callback_query", callback_query),
    ("challenges", challenges),
    ("config", config),
    ("registration_answer", registration_answer),
    ("resource_metadata", resource_metadata),
    ("sse_events", sse_events),
    ("store_file", store_file),
    ("store_record", store_record),
    ("token_answer", token_answer),
];

/// The body of a program in `src/bin`.
#[macro_export]
macro_rules! target {
    ($target:path) => {
        #[cfg(fuzzing)]
        use $crate::libfuzzer_sys;

        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $target(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::replay(std::env::args_os().skip(1), $target)
        }
    };
}

#[cfg(test)]
mod tests;

//! The inputs that are kept are replayed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{TARGETS, Target};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[expect(
    clippy::print_stdout,
    reason = "a test that fails shows the input by which it did"
)]
fn replayed(name: &str) {
    let target: Target = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target")
        .1;
    let mut inputs: Vec<_> = fs::read_dir(corpus().join(name))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{name}: {} inputs", inputs.len());
    for input in inputs {
        println!("{}", input.display());
        target(&fs::read(&input).expect("a file"));
    }
    // What libFuzzer begins with.
    target(b"");
    target(b"\n");
}

macro_rules! replays {
    ($($test:ident: $target:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                replayed(stringify!($target));
            }
        )*

        /// The targets that a test above replays.
        const REPLAYED: &[&str] = &[$(stringify!($target)),*];
    };
}

replays! {
    endpoints_of_a_server_are_https_or_loopback_and_it_speaks_for_itself_alone: authorization_server_metadata,
    a_callback_is_judged_as_a_naive_reading_of_its_query_says: callback_query,
    challenges_read_back_as_they_were_read_and_show_no_secret: challenges,
    a_configuration_survives_an_edit_and_shows_no_secret: config,
    a_registration_is_used_as_it_was_answered_and_takes_no_request_elsewhere: registration_answer,
    a_resource_never_speaks_for_another_origin: resource_metadata,
    events_are_the_same_in_chunks_of_any_size_and_within_their_limit: sse_events,
    a_file_of_the_store_is_used_whole_or_put_aside_and_a_seal_is_never_forged: store_file,
    a_record_is_written_again_with_all_that_was_in_it_and_shows_no_secret: store_record,
    a_token_is_taken_as_it_was_answered_or_not_at_all: token_answer,
}

#[test]
fn every_target_has_a_corpus_that_is_replayed_and_a_program() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let replayed = REPLAYED.iter().map(|name| (*name).to_owned());
    assert_eq!(replayed.collect::<BTreeSet<_>>(), names);
    let stems = |folder: PathBuf| -> BTreeSet<String> {
        fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| {
                let stem = path.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            })
            .collect()
    };
    assert_eq!(stems(corpus()), names);
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    assert_eq!(stems(programs), names);
}

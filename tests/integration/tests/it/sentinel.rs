//! No secret is anywhere but where it is kept and sent (law 9).
//!
//! Everything runs with the log at TRACE. Each secret is first shown to have crossed the wire, by what the servers
//! recorded, and is then looked for in what was said: output, messages, log, arguments, environment of children, files,
//! `Display` and `Debug`; as it is, in parts, and in the encodings of [`search::Encoding`]. Where a secret may be after all
//! is a list with reasons, in [`evidence`].
//!
//! [`program`] and [`library`] live with one login in good days and bad ones, [`commands`] and [`flows`] with every way to
//! sign in; [`echo`] and [`mirror`] are servers that repeat what they are sent; [`broken`] has what cannot be used.

mod broken;
mod commands;
mod echo;
mod evidence;
mod flows;
mod library;
mod log;
mod logins;
mod mirror;
mod program;
mod search;
mod secrets;
mod values;
mod watch;

pub(crate) use evidence::{Evidence, Place, files, leaks};
pub(crate) use log::{Log, runtime, shown};
pub(crate) use search::{PART, Search};
pub(crate) use secrets::{Crossed, Kind, Secret};
pub(crate) use values::Overheard;

use search::Encoding;

const EXAMPLE: &str = "rt:%+ <aZ>\"9-example&of_a~secret/with=all";

#[test]
fn the_search_finds_every_encoding_of_a_planted_secret_anywhere_in_a_line() {
    let secrets = [Secret::new(Kind::RefreshToken, EXAMPLE)];
    let search = Search::new(&secrets);
    for encoding in Encoding::ALL {
        for text in encoding.of(EXAMPLE.as_bytes()) {
            for before in ["", "2026-01-01T00:00:00Z TRACE h2: frame=", "é"] {
                let mut line = before.as_bytes().to_vec();
                line.extend_from_slice(&text);
                line.extend_from_slice(b" and so on\n");
                let found = !search.find(&line).is_empty();
                assert!(found, "{encoding:?}: {}", String::from_utf8_lossy(&line));
            }
        }
    }
}

#[test]
fn the_search_finds_a_secret_within_basic_credentials() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let secrets = [Secret::new(Kind::ClientSecret, EXAMPLE)];
    let search = Search::new(&secrets);
    let form: String = url::form_urlencoded::byte_serialize(EXAMPLE.as_bytes()).collect();
    for client in ["a", "ab", "abc"] {
        for secret in [EXAMPLE, form.as_str()] {
            let line = format!(
                "authorization: Basic {}",
                STANDARD.encode(format!("{client}:{secret}"))
            );
            assert!(!search.find(line.as_bytes()).is_empty(), "{line}");
        }
    }
}

#[test]
fn the_search_finds_every_part_that_is_long_enough_and_nothing_else() {
    let secrets = [Secret::new(Kind::AccessToken, EXAMPLE)];
    let search = Search::new(&secrets);
    for at in 0..=EXAMPLE.len() - PART {
        let line = format!("token {}… is invalid", &EXAMPLE[at..at + PART]);
        assert_eq!(search.find(line.as_bytes()).len(), 1, "{line}");
    }
    let innocent = "rt:%+ <aZ> nothing of a secret: rt-example, with=al of_a~secre";
    assert!(search.find(innocent.as_bytes()).is_empty());
}

#[test]
fn a_planted_line_of_a_log_is_a_leak_and_the_page_and_exported_variables_are_not() {
    let secrets = [
        Secret::new(Kind::State, "state-0123456789"),
        Secret::new(Kind::Bearer, "bearer-0123456789"),
        Secret::new(Kind::ClientSecret, "secret-0123456789"),
    ];
    let page = "https://as.test/authorize?state=state-0123456789".to_owned();
    let exported = ("TOKEN".to_owned(), "bearer-0123456789".to_owned());

    let message = format!("Open this page:\n\n  {page}\n");
    let once = Evidence::new(Place::Stderr, "login", message.as_str());
    assert_eq!(leaks(&secrets, std::slice::from_ref(&once)).len(), 1);
    let once = once.without_page(std::slice::from_ref(&page));
    assert!(leaks(&secrets, &[once]).is_empty());
    let twice = format!("{message}DEBUG opening {page}");
    let twice = Evidence::new(Place::Stderr, "login", twice).without_page(&[page]);
    assert_eq!(leaks(&secrets, &[twice]).len(), 1);

    let inherited = "TOKEN=bearer-0123456789\nLANG=C\n";
    let inherited = Evidence::new(Place::Environment, "login", inherited);
    let exported = [exported];
    assert!(leaks(&secrets, &[inherited.without_variables(&exported)]).is_empty());
    let renamed = "DOORKEY_TOKEN=bearer-0123456789\n";
    let renamed = Evidence::new(Place::Environment, "login", renamed);
    let found = leaks(&secrets, &[renamed.without_variables(&exported)]);
    assert_eq!(found.len(), 1);

    let file = |name: &str, text| Evidence::new(Place::File(name.to_owned()), "the home", text);
    assert!(leaks(&secrets, &[file("config.toml", "secret-0123456789")]).is_empty());
    assert_eq!(
        leaks(&secrets, &[file("config.toml", "bearer-0123456789")]).len(),
        1
    );
    assert_eq!(
        leaks(&secrets, &[file("state/x", "secret-0123456789")]).len(),
        1
    );
}

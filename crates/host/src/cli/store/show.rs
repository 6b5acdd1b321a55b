//! `doorkey store show`: kind, place, encryption, and why.

use clap::Args;
use doorkey::{Error, Host, OtherStore, StoreStatus};
use serde::Serialize;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, clean};
use crate::cli::report;

#[derive(Args, Debug)]
pub(super) struct Show {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One store, with how many logins it has.
#[derive(Serialize)]
struct Counted {
    #[serde(flatten)]
    store: Described,
    logins: Option<usize>,
    /// Why they cannot be counted: what failed, then each cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error: Vec<String>,
}

#[derive(Serialize)]
struct Described {
    kind: &'static str,
    location: String,
    encrypted: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    store: Counted,
    /// What the configuration says: `auto` or a kind.
    backend: &'static str,
    reason: &'static str,
    why: String,
    others: Vec<Counted>,
}

impl Show {
    pub(super) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let choice = host.store_choice();
        let backend = host.config().store().backend;
        let others = host.other_stores().await;
        let shown = Shown {
            store: Counted::new(in_use(host.store_status()), host.count_logins().await),
            backend: backend.map_or("auto", doorkey::StoreKind::as_str),
            reason: choice.reason.as_str(),
            why: choice.reason.to_string(),
            others: others.into_iter().map(Counted::of_other).collect(),
        };
        if self.json {
            output.json(&shown)?;
        } else {
            for (label, value) in lines(&shown) {
                output.data(&format!("{label:<10} {}", clean(&value)))?;
            }
        }
        hint(&shown, output);
        Ok(Exit::Done)
    }
}

impl Counted {
    fn new(store: Described, logins: Result<usize, Error>) -> Self {
        let error = logins.as_ref().err().map(report::causes);
        Self {
            store,
            logins: logins.ok(),
            error: error.unwrap_or_default(),
        }
    }

    fn of_other(other: OtherStore) -> Self {
        let store = Described {
            kind: other.kind.as_str(),
            location: other.location,
            encrypted: other.encrypted,
        };
        Self::new(store, other.logins)
    }

    fn in_words(&self) -> String {
        match self.logins {
            Some(1) => "1 login".to_owned(),
            Some(count) => format!("{count} logins"),
            None => self.error.join(": "),
        }
    }
}

fn in_use(store: StoreStatus) -> Described {
    Described {
        kind: store.kind,
        location: store.location,
        encrypted: store.encrypted,
    }
}

fn lines(shown: &Shown) -> Vec<(&'static str, String)> {
    let store = &shown.store.store;
    let mut lines = vec![
        ("store", store.kind.to_owned()),
        ("location", store.location.clone()),
        (
            "encrypted",
            if store.encrypted { "yes" } else { "no" }.to_owned(),
        ),
        ("why", shown.why.clone()),
        ("logins", shown.store.in_words()),
    ];
    for other in &shown.others {
        let store = &other.store;
        let text = format!("{} {}: {}", store.kind, store.location, other.in_words());
        lines.push(("also", text));
    }
    lines
}

/// What to do about logins that lie about elsewhere.
fn hint(shown: &Shown, output: &Output) {
    let to = shown.store.store.kind;
    for other in &shown.others {
        output.note(&format!(
            "the logins in the {kind} store are not used; to use them: doorkey store migrate --from {kind} --to {to}",
            kind = other.store.kind,
        ));
    }
}

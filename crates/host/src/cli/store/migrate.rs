//! `doorkey store migrate`: every login from one kind of store to another.

use clap::Args;
use doorkey::{Host, Moved, StoreKind};
use doorkey_store::{MigrateOptions, Newer};
use serde::Serialize;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, clean};

#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// Where to: keyring, encrypted_file, file or postgres
    #[arg(long, value_name = "KIND", value_parser = kind)]
    to: StoreKind,
    /// Where from; else the store in use
    #[arg(long, value_name = "KIND", value_parser = kind)]
    from: Option<StoreKind>,
    /// Where both stores have a login of the same account, keep the newer one
    #[arg(long)]
    newer_wins: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    from: &'static str,
    to: &'static str,
    moved: Vec<String>,
    /// Records that are in both stores now: nothing was removed.
    copied: Vec<String>,
    already_there: Vec<String>,
    conflicts: Vec<Conflict>,
    busy: Vec<String>,
    problems: Vec<String>,
    complete: bool,
    /// Whether the store that was moved to is the one in use from now on.
    in_use: bool,
    /// What is left to be done.
    next: Option<String>,
}

#[derive(Serialize)]
struct Conflict {
    record: String,
    newer: Option<&'static str>,
}

impl Migrate {
    pub(super) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let mut options = MigrateOptions::default();
        options.newer_wins = self.newer_wins;
        let moved = host.migrate_store(self.from, self.to, options);
        let moved = output.while_waiting("moving the logins", moved).await?;
        let shown = Shown::new(&moved, host);
        match self.json {
            true => output.json(&shown)?,
            false => shown.tell(output),
        }
        Ok(match &moved.migration {
            migration if migration.is_complete() => Exit::Done,
            // What is broken or newer than this program stays so; who works on a record does so for a moment.
            migration
                if migration.conflicts.is_empty()
                    && migration.left.is_empty()
                    && !migration.busy.is_empty() =>
            {
                Exit::Temporary
            }
            _ => Exit::Configuration,
        })
    }
}

impl Shown {
    fn new(moved: &Moved, host: &Host) -> Self {
        let migration = &moved.migration;
        let texts = |ids: &[doorkey_store::RecordId]| ids.iter().map(ToString::to_string).collect();
        let conflicts = migration.conflicts.iter().map(|conflict| Conflict {
            record: conflict.id.to_string(),
            newer: conflict.newer.map(|newer| match newer {
                Newer::Source => moved.from.as_str(),
                Newer::Target => moved.to.as_str(),
            }),
        });
        Self {
            from: moved.from.as_str(),
            to: moved.to.as_str(),
            moved: texts(&migration.moved),
            copied: texts(&migration.copied),
            already_there: texts(&migration.already_there),
            conflicts: conflicts.collect(),
            busy: texts(&migration.busy),
            problems: migration.problems.iter().map(ToString::to_string).collect(),
            complete: migration.is_complete(),
            in_use: moved.in_use,
            next: next(moved, host),
        }
    }

    fn tell(&self, output: &Output) {
        let (from, to) = (self.from, self.to);
        for record in &self.moved {
            output.note(&format!("  moved: {}", clean(record)));
        }
        for record in &self.already_there {
            output.note(&format!("  was there already: {}", clean(record)));
        }
        for conflict in &self.conflicts {
            let newer = conflict.newer.map_or_else(
                || "nobody can tell which is newer".to_owned(),
                |kind| format!("the one in {kind} is newer"),
            );
            let record = clean(&conflict.record);
            output.warn(&format!(
                "not moved: {record}: both stores have one; {newer}"
            ));
        }
        for record in &self.busy {
            let record = clean(record);
            output.warn(&format!("not moved: {record}: another process is using it"));
        }
        for problem in &self.problems {
            output.warn(problem);
        }
        for record in &self.copied {
            output.note(&format!("  copied: {}", clean(record)));
        }
        let count = self.moved.len() + self.already_there.len() + self.copied.len();
        let records = if count == 1 { "record" } else { "records" };
        output.note(&format!("{count} {records} of {from} are in {to} now"));
        if !self.copied.is_empty() || !self.complete && count == 0 {
            output.note(&format!("nothing was removed from {from}"));
        }
        if self.in_use {
            output.note(&format!("{to} is the store in use"));
        }
        if let Some(next) = &self.next {
            output.note(&format!("next: {next}"));
        }
    }
}

fn next(moved: &Moved, host: &Host) -> Option<String> {
    let (from, to) = (moved.from, moved.to);
    if !moved.migration.conflicts.is_empty() {
        return Some(format!(
            "doorkey store migrate --from {from} --to {to} --newer-wins, or log out of one of them"
        ));
    }
    if !moved.migration.busy.is_empty() {
        return Some(format!("doorkey store migrate --from {from} --to {to}"));
    }
    if !moved.migration.is_complete() {
        return Some(format!(
            "see to what is reported above, then doorkey store migrate --from {from} --to {to}"
        ));
    }
    let file = host.home().config_file().display();
    match (moved.in_use, moved.migration.copied.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("write backend = \"{to}\" under [store] in {file}")),
        (false, false) => Some(format!(
            "write backend = \"{to}\" under [store] in {file}, and at once, before anything uses these logins, \
             doorkey store migrate --from {from} --to {to}, which removes them from {from}"
        )),
    }
}

fn kind(text: &str) -> Result<StoreKind, String> {
    match StoreKind::named(text) {
        Some(StoreKind::Memory) | None => {
            Err("one of keyring, encrypted_file, file and postgres".to_owned())
        }
        Some(kind) => Ok(kind),
    }
}

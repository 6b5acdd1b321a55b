//! The environment of a program that is started: that of this one, without the secrets in it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

/// Names of variables that no program is handed which is started from here. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Withheld(Arc<BTreeSet<String>>);

impl Withheld {
    /// These and the others.
    pub(crate) fn and(&self, names: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(self.0.iter().cloned().chain(names).collect()))
    }
}

/// Takes the secrets out of the environment that a command is to inherit. Every command that is
/// started goes through here, be it a browser or a program that the configuration names.
pub(crate) fn child_environment(command: &mut Command, withheld: &Withheld) {
    for name in withheld.0.iter() {
        command.env_remove(name);
    }
}

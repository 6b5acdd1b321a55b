//! A resolver that says what the test wants, and something else the next time.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use doorkey_http::Resolver;
use futures_util::future::BoxFuture;

/// Names and their addresses: one answer for each lookup, the last one for ever.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<String, Answers>>);

#[derive(Debug)]
struct Answers {
    left: Vec<Vec<IpAddr>>,
    lookups: usize,
}

impl Names {
    pub(super) fn first_then(&self, name: &str, answers: &[&[&str]]) {
        let parse = |text: &&str| text.parse().expect("an address");
        let answers = answers.iter().rev();
        let left = answers.map(|answer| answer.iter().map(parse).collect());
        let answers = Answers {
            left: left.collect(),
            lookups: 0,
        };
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned(), answers);
    }

    /// How often somebody asked for it.
    pub(super) fn lookups(&self, name: &str) -> usize {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(name).map_or(0, |answers| answers.lookups)
    }
}

impl Resolver for Names {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = names.get_mut(host).map(|answers| {
            answers.lookups += 1;
            match answers.left.as_slice() {
                [last] => last.clone(),
                _ => answers.left.pop().unwrap_or_default(),
            }
        });
        let found = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        Box::pin(async { found })
    }
}

//! The sections of the page, in its order. To add one: a module with an `OUTLINE` and a `run`, and its line here.

use futures_util::future::LocalBoxFuture;

use crate::section::{Outline, Section};
use crate::{BoxError, Context};

/// What measures a section.
pub type Run = for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Result<Section, BoxError>>;

/// Every section: what it sets out to measure, and how.
///
/// A line is `(&crate::calls::OUTLINE, |context| Box::pin(crate::calls::run(context)))`.
pub const ALL: &[(&Outline, Run)] = &[
    (&crate::calls::OUTLINE, |context| {
        Box::pin(crate::calls::run(context))
    }),
    (&crate::cold::OUTLINE, |context| {
        Box::pin(crate::cold::run(context))
    }),
    (&crate::codex::OUTLINE, |context| {
        Box::pin(crate::codex::run(context))
    }),
    (&crate::startup::OUTLINE, |context| {
        Box::pin(crate::startup::run(context))
    }),
    (&crate::distance::OUTLINE, |context| {
        Box::pin(crate::distance::run(context))
    }),
    (&crate::growth::OUTLINE, |context| {
        Box::pin(crate::growth::run(context))
    }),
    (&crate::exact::OUTLINE, |context| {
        Box::pin(crate::exact::run(context))
    }),
];

/// The sections of these names, or all if none is named.
///
/// # Errors
/// A name that no section has; the error lists those there are.
pub fn named(names: &[String]) -> Result<Vec<(&'static Outline, Run)>, BoxError> {
    if let Some(unknown) = names
        .iter()
        .find(|name| ALL.iter().all(|(outline, _)| outline.id != name.as_str()))
    {
        let known: Vec<_> = ALL.iter().map(|(outline, _)| outline.id).collect();
        return Err(format!(
            "there is no section {unknown}; there are: {}",
            known.join(", ")
        )
        .into());
    }
    let wanted =
        |outline: &Outline| names.is_empty() || names.iter().any(|name| name == outline.id);
    Ok(ALL
        .iter()
        .filter(|(outline, _)| wanted(outline))
        .copied()
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sections_are_found_by_their_names_and_all_of_them_without_any() {
        assert_eq!(named(&[]).unwrap().len(), ALL.len());
        for (outline, _) in ALL {
            assert_eq!(named(&[outline.id.to_owned()]).unwrap()[0].0.id, outline.id);
            assert!(
                named(&["nothing".to_owned()])
                    .err()
                    .unwrap()
                    .to_string()
                    .contains(outline.id)
            );
        }
    }

    #[test]
    fn no_two_sections_have_a_name_or_a_title_in_common() {
        let ids: BTreeSet<_> = ALL.iter().map(|(outline, _)| outline.id).collect();
        let titles: BTreeSet<_> = ALL.iter().map(|(outline, _)| outline.title).collect();
        assert_eq!((ids.len(), titles.len()), (ALL.len(), ALL.len()));
    }
}

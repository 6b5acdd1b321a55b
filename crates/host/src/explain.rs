//! An error as a person or a script gets it: code, what failed, the causes, where, and what to do next.

mod causes;
mod names;
mod next;

use doorkey_http::clean_text;
use doorkey_oauth::QuirkExplanation;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::code::ErrorCode;
use crate::error::Error;
use crate::target::Target;

pub use causes::causes;
use names::in_configured_names;
pub use next::NextAction;

/// An error, told. Every text is one line, without secrets and without what a terminal would obey.
///
/// As JSON it is the document that the program writes under `error` with `--json`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// What failed.
    pub message: String,
    /// Why, each the cause of the one before it: the last is where it began.
    pub causes: Vec<String>,
    /// What was tried beside what the causes are about, in order, with what came of it.
    pub also_tried: Vec<String>,
    /// What the request was for that failed, such as `token`.
    pub leg: Option<&'static str>,
    /// The address that was asked, or of the server that it is about.
    pub url: Option<String>,
    /// The HTTP status of the answer that is the failure.
    pub status: Option<u16>,
    /// What is known of this refusal ([`Host::explanation`](crate::Host::explanation)).
    pub quirk: Option<QuirkExplanation>,
    /// What to do about it.
    pub next: NextAction,
}

impl Error {
    /// Tells this error, and what to do about it for that server and account; without a target, commands name `NAME`.
    #[must_use]
    pub fn explain<'a>(&self, target: impl Into<Option<Target<'a>>>) -> Explained {
        let target = target.into();
        let mut told = causes::of(self);
        let message = told.lines.remove(0);
        let place = causes::place(self);
        Explained {
            code: self.code(),
            message,
            causes: told.lines,
            also_tried: told.also_tried,
            leg: place.leg,
            url: place.url,
            status: place.status,
            quirk: None,
            next: next::of(self, target),
        }
    }
}

impl Explained {
    /// A failure that a program has of its own, beside those of a [`Host`](crate::Host): what to do is what its
    /// code calls for.
    #[must_use]
    pub fn new<'a>(code: ErrorCode, message: &str, target: impl Into<Option<Target<'a>>>) -> Self {
        Self {
            code,
            message: line(message),
            causes: Vec::new(),
            also_tried: Vec::new(),
            leg: None,
            url: None,
            status: None,
            quirk: None,
            next: next::by_code(code, target.into(), None),
        }
    }

    /// The same with something better to do.
    #[must_use]
    pub fn with_next(self, next: NextAction) -> Self {
        Self { next, ..self }
    }

    /// The same with what is known of the refusal.
    #[must_use]
    pub fn with_quirk<'a>(
        self,
        known: QuirkExplanation,
        target: impl Into<Option<Target<'a>>>,
    ) -> Self {
        let next = match known.next.as_str() {
            "" => self.next,
            next => next::of_quirk(next, target.into()),
        };
        Self {
            quirk: Some(known),
            next,
            ..self
        }
    }

    /// What failed, then each cause.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.message)
            .chain(&self.causes)
            .map(String::as_str)
    }
}

impl Serialize for Explained {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("Explained", 11)?;
        error.serialize_field("code", &self.code)?;
        error.serialize_field("message", &self.message)?;
        error.serialize_field("causes", &self.causes)?;
        error.serialize_field("also_tried", &self.also_tried)?;
        error.serialize_field("leg", &self.leg)?;
        error.serialize_field("url", &self.url)?;
        error.serialize_field("status", &self.status)?;
        error.serialize_field("quirk", &self.quirk.as_ref().map(Known::of))?;
        error.serialize_field("next", &self.next)?;
        error.serialize_field("exit_code", &self.code.exit_code())?;
        error.serialize_field("help", &self.code.help())?;
        error.end()
    }
}

/// What a quirk knows, as JSON.
#[derive(Serialize)]
struct Known<'a> {
    id: &'a str,
    means: &'a str,
}

impl<'a> Known<'a> {
    fn of(known: &'a QuirkExplanation) -> Self {
        Self {
            id: &known.quirk,
            means: &known.means,
        }
    }
}

/// Text from elsewhere as one line, in the names of the configuration.
fn line(text: &str) -> String {
    clean_text(&in_configured_names(text), LINE_CHARACTERS)
}

const LINE_CHARACTERS: usize = 2_000;

#[cfg(test)]
mod tests;

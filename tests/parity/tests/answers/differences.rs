//! Where we mean to read an answer differently than rmcp's own client, and why.

use serde_json::Value;

use crate::{
    cases::{Case, Exchange},
    class::Class,
};

/// One deliberate difference.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) covers: fn(&Case, &Class, &Class) -> bool,
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "all challenges",
        reason: "a response may challenge in several lines, and the Bearer challenge need not be the first (RFC 9110 §11.6.1)",
        covers: |case, theirs, ours| {
            case.status == 401
                && case.challenges() > 1
                && matches!(
                    (theirs, ours),
                    (Class::AuthRequired(first), Class::AuthRequired(all)) if all.starts_with(first.as_str())
                )
        },
    },
    Difference {
        name: "bare 401",
        reason: "a 401 without a challenge asks for authorization all the same (CH-01, CH-14)",
        covers: |case, theirs, ours| {
            case.status == 401
                && case.challenges() == 0
                && case.exchange != Exchange::Delete
                && matches!(theirs, Class::UnexpectedAnswer | Class::Client)
                && *ours == Class::AuthRequired(String::new())
        },
    },
    Difference {
        name: "challenged 403 that lacks no scope",
        reason: "only error=\"insufficient_scope\" asks for another authorization; any other 403 is final (CH-07)",
        covers: |case, theirs, ours| {
            case.status == 403
                && case.challenges() > 0
                && !case.lacks_scope()
                && matches!(
                    (theirs, ours),
                    (Class::InsufficientScope(..), Class::Client)
                )
        },
    },
    Difference {
        name: "bare 403",
        reason: "a refusal by policy is an error of its own that says signing in again will not help (CH-07)",
        covers: |case, theirs, ours| {
            case.status == 403
                && case.challenges() == 0
                && matches!((theirs, ours), (Class::UnexpectedAnswer, Class::Client))
        },
    },
    Difference {
        name: "DELETE 401 and 403",
        reason: "ending a session needs authorization like anything else, and its failure keeps its type (CH-03)",
        covers: |case, theirs, ours| {
            case.exchange == Exchange::Delete
                && *theirs == Class::Client
                && match case.status {
                    401 => matches!(ours, Class::AuthRequired(_)),
                    403 => matches!(ours, Class::InsufficientScope(..)) && case.lacks_scope(),
                    _ => false,
                }
        },
    },
    Difference {
        name: "DELETE 404",
        reason: "a session that is not there needs no ending; servers without sessions answer 404 (CH-12)",
        covers: |case, theirs, ours| {
            case.exchange == Exchange::Delete
                && case.status == 404
                && matches!((theirs, ours), (Class::Client, Class::Ended))
        },
    },
    Difference {
        name: "DELETE keeps the status",
        reason: "a failing DELETE is read like a failing GET: rate limits and server failures as their status, the rest as unexpected",
        covers: |case, theirs, ours| {
            case.exchange == Exchange::Delete
                && *theirs == Class::Client
                && match ours {
                    Class::HttpStatus(status, _) => *status == case.status,
                    Class::UnexpectedAnswer => (400..500).contains(&case.status),
                    _ => false,
                }
        },
    },
    Difference {
        name: "no stream here",
        reason: "404 and web pages on the optional GET stream mean that there is none (CH-12)",
        covers: |case, theirs, ours| {
            case.exchange.is_get()
                && (case.status == 404 || case.is_html())
                && matches!(theirs, Class::Client | Class::UnexpectedMedia(_))
                && *ours == Class::NoStream
        },
    },
    Difference {
        name: "GET keeps what the server said",
        reason: "a 4xx on GET is the server's answer, not a failure of the client: it is reported like one on POST",
        covers: |case, theirs, ours| {
            case.exchange.is_get()
                && matches!(case.status, 400 | 406 | 410)
                && matches!((theirs, ours), (Class::Client, Class::UnexpectedAnswer))
        },
    },
    Difference {
        name: "unknown method inside a session",
        reason: "404 with method-not-found for this very request is about the method, not about the session (ERR-05)",
        covers: |case, theirs, ours| {
            case.status == 404
                && case.names_unknown_method()
                && matches!(
                    (theirs, ours),
                    (Class::SessionExpired, Class::Message { .. })
                )
        },
    },
    Difference {
        name: "an error that names no request",
        reason: "it is the answer to the request it came in answer to, which would else wait until its time limit (ERR-04, ERR-07)",
        covers: |case, theirs, ours| match (theirs, ours) {
            (
                Class::Message { body, session },
                Class::Message {
                    body: ours,
                    session: same,
                },
            ) => session == same && answers_anonymously(case, body, ours),
            _ => false,
        },
    },
    Difference {
        name: "an event with an error that names no request",
        reason: "the stream a POST opened answers that POST; rmcp stops reading it at the first error and matches it to nothing (ERR-07)",
        covers: |case, theirs, ours| match (theirs, ours) {
            (
                Class::Events { data, session },
                Class::Events {
                    data: ours,
                    session: same,
                },
            ) => {
                session == same
                    && data.len() == ours.len()
                    && data.iter().zip(ours).all(|(theirs, ours)| {
                        theirs == ours || answers_anonymously(case, &parsed(theirs), &parsed(ours))
                    })
            }
            _ => false,
        },
    },
    Difference {
        name: "the events above one that is too long",
        reason: "what came whole is told, and then the failure: rmcp drops it if the network brought both in one piece",
        covers: |_, theirs, ours| match (theirs, ours) {
            (
                Class::Events { data, session },
                Class::Events {
                    data: ours,
                    session: same,
                },
            ) => {
                session == same
                    && data[..] == [None]
                    && ours.split_last().is_some_and(|(last, above)| {
                        last.is_none() && !above.is_empty() && above.iter().all(Option::is_some)
                    })
            }
            _ => false,
        },
    },
    Difference {
        name: "redirects",
        reason: "a redirect that may not be followed is an error naming its target, whatever its body says (USE-05)",
        covers: |case, _, ours| case.status == 302 && *ours == Class::Client,
    },
];

/// `ours` is `theirs` under the id that was asked, where the server gave none, or with a failing status one nobody sent.
fn answers_anonymously(case: &Case, theirs: &Value, ours: &Value) -> bool {
    let Some(asked) = case.asked() else {
        return false;
    };
    let anonymous = match theirs.get("id") {
        None | Some(Value::Null) => true,
        Some(id) => *id != asked && case.status >= 400,
    };
    let mut expected = theirs.clone();
    if let Some(message) = expected.as_object_mut() {
        message.insert("id".to_owned(), asked.into());
    }
    anonymous && theirs.get("error").is_some() && expected == *ours
}

fn parsed(data: &Option<String>) -> Value {
    let text = data.as_deref().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

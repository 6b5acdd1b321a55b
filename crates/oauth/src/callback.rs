//! The authorization response, judged as a value (OAuth 2.1 §4.1.2, RFC 9207 §2.4).

use std::fmt;
use std::time::{Duration, SystemTime};

use doorkey_discovery::Issuer;
use doorkey_http::clean_text;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use url::Url;
use zeroize::{Zeroize as _, Zeroizing};

use crate::authorize::AuthorizationRecord;
use crate::error::{Error, InvalidResponse};
use crate::protocol_error::ProtocolError;

/// What a callback is to the login it arrived at.
pub(crate) enum Judgement {
    /// Not an answer to our request: `state` is missing, foreign or repeated. Wait on (RSP-02).
    Foreign,
    /// A code alone that says too little here; the whole address is needed.
    Insufficient,
    /// An answer that ends the login.
    Ended(Box<Error>),
    /// The authorization code.
    Code(SecretString),
}

impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("Foreign"),
            Self::Insufficient => f.write_str("Insufficient"),
            Self::Ended(error) => f.debug_tuple("Ended").field(error).finish(),
            Self::Code(_) => f.debug_tuple("Code").finish_non_exhaustive(),
        }
    }
}

/// Judges the query of a callback. `iss` is settled before `error` is even looked at (RSP-10).
pub(crate) fn judge(record: &AuthorizationRecord, query: &str, now: SystemTime) -> Judgement {
    let response = Response::parse(query);
    let Some(state) = response.single(&response.state) else {
        return Judgement::Foreign;
    };
    if !bool::from(
        state
            .as_bytes()
            .ct_eq(record.state.expose_secret().as_bytes()),
    ) {
        return Judgement::Foreign;
    }
    match settle(record, &response, now) {
        Ok(code) => Judgement::Code(code),
        Err(error) => Judgement::Ended(Box::new(error)),
    }
}

/// Judges a code that a person typed where the login waits, with its `state` or without
/// ([`Callback::of_code`](crate::Callback::of_code)). A server that promises `iss` is never asked with a code whose `iss`
/// was not seen (RSP-05), and without `state` it has to be PKCE that holds the code to this request.
pub(crate) fn judge_code(record: &AuthorizationRecord, query: &str, now: SystemTime) -> Judgement {
    let response = Response::parse(query);
    if record.iss_advertised {
        return Judgement::Insufficient;
    }
    if !response.state.is_empty() {
        return judge(record, query, now);
    }
    if !record.pkce_advertised {
        return Judgement::Insufficient;
    }
    match settle(record, &response, now) {
        Ok(code) => Judgement::Code(code),
        Err(error) => Judgement::Ended(Box::new(error)),
    }
}

fn settle(
    record: &AuthorizationRecord,
    response: &Response,
    now: SystemTime,
) -> Result<SecretString, Error> {
    let invalid = |why| Err(Error::InvalidAuthorizationResponse(why));
    if now
        .duration_since(record.created_at)
        .is_ok_and(|age| age > RECORD_LIFETIME)
    {
        return invalid(InvalidResponse::Expired);
    }
    check_issuer(record, response)?;
    for (name, values) in [("code", &response.code), ("error", &response.error)] {
        if values.len() > 1 {
            return invalid(InvalidResponse::Repeated(name));
        }
    }
    match (response.code.first(), response.error.first()) {
        (Some(_), Some(_)) => invalid(InvalidResponse::CodeAndError),
        (Some(code), None) if !code.is_empty() => Ok(SecretString::from(code.clone())),
        (None, Some(error)) if !error.is_empty() => {
            let description = response.single(&response.description);
            let said = ProtocolError::new(error, description, response.single(&response.uri));
            Err(refusal(said.without(&record.sent)))
        }
        _ => invalid(InvalidResponse::Neither),
    }
}

/// The table of RSP-04 to RSP-07; strings are compared as they are (RSP-08).
fn check_issuer(record: &AuthorizationRecord, response: &Response) -> Result<(), Error> {
    let mismatch = |received: Option<&String>| {
        Err(Error::IssuerMismatch {
            expected: record.issuer.clone(),
            received: received.map(|iss| record.sent.strike(&clean_text(iss, 200))),
        })
    };
    match response.iss.as_slice() {
        [] if record.iss_advertised => mismatch(None),
        [] => Ok(()),
        [iss] if iss == record.issuer.as_str() => Ok(()),
        [iss] if record.trusted_issuer.as_ref().map(Issuer::as_str) == Some(iss) => Ok(()),
        [iss] => mismatch(Some(iss)),
        _ => Err(Error::InvalidAuthorizationResponse(
            InvalidResponse::Repeated("iss"),
        )),
    }
}

fn refusal(error: ProtocolError) -> Error {
    if error.is("access_denied") {
        Error::Denied(error)
    } else {
        Error::AuthorizationResponse(error)
    }
}

/// The query in what a person pasted: the address at which the browser ended, or its query alone
/// (RSP-16); or a code and its state as some servers show them to be copied, `CODE#STATE`. Anything else is no answer
/// to a request with that redirect URI; nor is a code alone, for which this is not the process that waits.
pub(crate) fn pasted_answer(pasted: &str, redirect_uri: &str) -> Result<Pasted, InvalidResponse> {
    let pasted = pasted.trim();
    if let Ok(address) = Url::parse(pasted) {
        let is_there = Url::parse(redirect_uri).is_ok_and(|redirect| {
            let same = |of: fn(&Url) -> Option<&str>| of(&address) == of(&redirect);
            address.scheme() == redirect.scheme()
                && same(Url::host_str)
                && address.port_or_known_default() == redirect.port_or_known_default()
                && address.path() == redirect.path()
        });
        let query = address.query().filter(|_| is_there);
        return query
            .map(Pasted::response)
            .ok_or(InvalidResponse::NotTheAddress);
    }
    let query = pasted.strip_prefix('?').unwrap_or(pasted);
    let query = query.split('#').next().unwrap_or_default();
    let is_query = url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, _)| matches!(name.as_ref(), "code" | "error" | "state"));
    if is_query {
        return Ok(Pasted::response(query));
    }
    match pasted.split_once('#') {
        Some((code, state)) if is_bare(code) && is_bare(state) => {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("code", code).append_pair("state", state);
            Ok(Pasted {
                query: Zeroizing::new(query.finish()),
                is_code_alone: true,
            })
        }
        _ => Err(InvalidResponse::NotTheAddress),
    }
}

/// What a person pasted, as a query.
pub(crate) struct Pasted {
    pub(crate) query: Zeroizing<String>,
    is_code_alone: bool,
}

impl Pasted {
    fn response(query: &str) -> Self {
        Self {
            query: Zeroizing::new(query.to_owned()),
            is_code_alone: false,
        }
    }

    /// Judges it as the answer to that request.
    pub(crate) fn judge(&self, record: &AuthorizationRecord, now: SystemTime) -> Judgement {
        match self.is_code_alone {
            true => judge_code(record, &self.query, now),
            false => judge(record, &self.query, now),
        }
    }
}

/// Whether this may be a code or a state, as RFC 6749 appendix A has them.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What is wrong with the `state` of a foreign answer.
pub(crate) fn state_problem(query: &str) -> InvalidResponse {
    match Response::parse(query).state.as_slice() {
        [_] => InvalidResponse::OtherState,
        _ => InvalidResponse::NoState,
    }
}

/// The parameters of the response, form-decoded, each with all of its occurrences.
#[derive(Default)]
struct Response {
    state: Vec<String>,
    iss: Vec<String>,
    code: Vec<String>,
    error: Vec<String>,
    description: Vec<String>,
    uri: Vec<String>,
}

/// What a browser brought is wiped once it was judged.
impl Drop for Response {
    fn drop(&mut self) {
        self.state.zeroize();
        self.code.zeroize();
    }
}

impl Response {
    fn parse(query: &str) -> Self {
        let mut response = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let values = match name.as_ref() {
                "state" => &mut response.state,
                "iss" => &mut response.iss,
                "code" => &mut response.code,
                "error" => &mut response.error,
                "error_description" => &mut response.description,
                "error_uri" => &mut response.uri,
                _ => continue,
            };
            values.push(value.into_owned());
        }
        response
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as a question about this response"
    )]
    fn single<'a>(&self, values: &'a [String]) -> Option<&'a str> {
        match values {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// How old a request may be when its answer arrives (RSP-11).
pub(crate) const RECORD_LIFETIME: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;

//! An endpoint's answer: status, headers that matter and a bounded body, before it is believed.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use doorkey_discovery::{JsonError, JsonObject};
use doorkey_http::{Leg, RedactedUrl, SentSecrets, clean_text};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::form_urlencoded;
use zeroize::Zeroize as _;

use crate::error::Error;
use crate::protocol_error::ProtocolError;
use crate::shared::Shared;

/// What came back, with what an error about it has to name. No `Debug`: the body may hold tokens.
pub(crate) struct Answer {
    pub(crate) leg: Leg,
    pub(crate) url: RedactedUrl,
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    headers: HeaderMap,
    body: Bytes,
    sent: SentSecrets,
}

impl Answer {
    pub(crate) fn new(
        leg: Leg,
        url: RedactedUrl,
        response: Response<Bytes>,
        now: SystemTime,
    ) -> Self {
        let sent = response.extensions().get::<SentSecrets>();
        Self {
            leg,
            url,
            sent: sent.cloned().unwrap_or_default(),
            status: response.status(),
            retry_after: retry_after(response.headers(), now),
            headers: response.headers().clone(),
            body: response.into_body(),
        }
    }

    /// The same answer to a request that had these secrets in its body too, none of which it will
    /// show.
    pub(crate) fn to(mut self, secrets: &[SecretString]) -> Self {
        self.sent = secrets
            .iter()
            .fold(std::mem::take(&mut self.sent), SentSecrets::and);
        self
    }

    /// The error that a body is, if it is one.
    pub(crate) fn protocol_error(&self, object: &Map<String, Value>) -> Option<ProtocolError> {
        ProtocolError::from_json(object).map(|error| error.without(&self.sent))
    }

    /// The headers, which may hold a nonce.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The members of a success.
    ///
    /// # Errors
    /// [`Error::TokenEndpoint`] for an OAuth error, whatever the status; [`Error::UnreadableResponse`].
    pub(crate) fn success(&self) -> Result<Map<String, Value>, Error> {
        self.success_of(self.object()?)
    }

    /// The same of a body that may be form-encoded, as RFC 6749 has it for requests alone, and whether it was.
    pub(crate) fn form_success(&self) -> Result<(Map<String, Value>, bool), Error> {
        match self.form()? {
            Some(members) => Ok((self.success_of(members)?, true)),
            None => Ok((self.success()?, false)),
        }
    }

    fn success_of(&self, object: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        if let Some(error) = self.protocol_error(&object) {
            return Err(Error::TokenEndpoint {
                leg: self.leg,
                url: self.url.clone(),
                status: self.status,
                error,
                retry_after: self.retry_after,
            });
        }
        if !self.status.is_success() {
            return Err(self.unreadable("there is no `error` in it"));
        }
        Ok(object)
    }

    /// The body as a JSON object that says of each member that is read but one thing.
    ///
    /// # Errors
    /// [`Error::UnreadableResponse`] with the status and the start of the body, cleaned.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Error> {
        let object = match JsonObject::parse(&self.body) {
            Ok(object) => object,
            Err(JsonError::Malformed(cause)) => return Err(self.not_json(cause)),
            Err(JsonError::NotAnObject) => {
                return Err(self.unreadable("the body is JSON, but not an object"));
            }
            Err(error) => return Err(self.unreadable(&format!("the body cannot be used: {error}"))),
        };
        match object.repeated(&MEMBERS) {
            Some(name) => Err(self.unreadable(&format!("`{name}` occurs in it more than once"))),
            None => Ok(object.into_members()),
        }
    }

    /// The members of a form that are read, if the body is one.
    fn form(&self) -> Result<Option<Map<String, Value>>, Error> {
        let body = self.body.trim_ascii();
        if matches!(body.first(), None | Some(b'{' | b'[' | b'<')) {
            return Ok(None);
        }
        let mut object = Map::new();
        for (name, value) in form_urlencoded::parse(body) {
            let known = MEMBERS.contains(&name.as_ref());
            let value = Value::String(value.into_owned());
            if known && object.insert(name.into_owned(), value).is_some() {
                return Err(self.unreadable("a member occurs in it more than once"));
            }
        }
        Ok(Some(object).filter(|object| !object.is_empty()))
    }

    /// The error for an answer that breaks the protocol; `why` quotes nothing of the body.
    pub(crate) fn unreadable(&self, why: &str) -> Error {
        self.error(why.to_owned(), None)
    }

    /// The start of the body, cleaned, without the secrets of the request. Only for bodies that cannot
    /// hold a token of their own.
    pub(crate) fn excerpt(&self) -> String {
        let start = &self.body[..self.body.len().min(EXCERPT_READ)];
        let text = String::from_utf8_lossy(start);
        let shown = clean_text(&without_markup(&text), EXCERPT_SHOWN);
        self.sent.strike(&shown)
    }

    fn not_json(&self, cause: serde_json::Error) -> Error {
        let text = if self.body.is_empty() {
            String::from("the body is empty")
        } else if self.status.is_success() {
            // A success may hold a token in a form we do not know; nothing of it is shown.
            String::from(match self.body.trim_ascii_start() {
                [b'<', ..] => "the body is a web page, not JSON",
                [b'{' | b'[', ..] if cause.is_eof() => "the body is JSON that breaks off",
                _ => "the body is not JSON",
            })
        } else {
            self.excerpt()
        };
        // Only of what was meant to be JSON does the parser's complaint say where it is wrong.
        let is_meant = self.body.trim_ascii_start().starts_with(b"{");
        let is_source = self.status.is_success() && is_meant && !cause.is_eof();
        self.error(text, is_source.then(|| Shared::new(cause)))
    }

    fn error(&self, excerpt: String, source: Option<Shared<serde_json::Error>>) -> Error {
        Error::UnreadableResponse {
            leg: self.leg,
            url: self.url.clone(),
            status: self.status,
            excerpt,
            retry_after: self.retry_after,
            source,
        }
    }
}

/// What is wiped after use, as far as nobody else holds it.
impl Drop for Answer {
    fn drop(&mut self) {
        if let Ok(mut body) = std::mem::take(&mut self.body).try_into_mut() {
            body.as_mut().zeroize();
        }
    }
}

/// Seconds or a date (RFC 9110 §10.2.3); a date in the past is no wait at all, and a wait of more than a day is cut.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            date.duration_since(now).unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_WAIT))
}

/// The text between the tags of a page, good enough to say what an HTML error page says.
fn without_markup(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        shown.push_str(before);
        shown.push(' ');
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is read of the answers of every endpoint (RFC 6749 §5, RFC 7591 §3.2, RFC 8628 §3.2, RFC 8693 §2.2, RFC 9126 §2.2).
const MEMBERS: [&str; 27] = [
    "access_token",
    "client_id",
    "client_secret",
    "client_secret_expires_at",
    "device_code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "grant_types",
    "id_token",
    "interval",
    "issued_token_type",
    "message",
    "ok",
    "redirect_uris",
    "refresh_token",
    "registration_access_token",
    "registration_client_uri",
    "request_uri",
    "scope",
    "token_endpoint_auth_method",
    "token_type",
    "user_code",
    "verification_uri",
    "verification_uri_complete",
    "verification_url",
];
/// Nobody is told to come back later than that.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
const EXCERPT_READ: usize = 2048;
const EXCERPT_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        let url = url::Url::parse("https://as.example/token").unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        Answer::new(Leg::Token, RedactedUrl::from(&url), response, now)
    }

    #[test]
    fn an_html_page_becomes_its_status_and_a_short_clean_excerpt_tok_18() {
        let page =
            "<html><head><title>502</title></head>\n<body>\u{1b}[31mBad  gateway</body></html>";
        let error = answer(502, page, &[]).object().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("502") && text.contains("Bad gateway"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}') && !text.contains('<'), "{text}");
        assert!(error.is_transient());
    }

    #[test]
    fn nothing_of_a_successful_body_is_ever_quoted_err_11() {
        let error = answer(200, "access_token=secret-token&token_type=bearer", &[])
            .object()
            .unwrap_err();
        assert!(!error.to_string().contains("secret-token"));
        assert!(!format!("{error:?}").contains("secret-token"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at = |value| answer(503, "", &[("retry-after", value)]).retry_after;
        assert_eq!(at("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            at("Sun, 09 Sep 2001 01:47:40 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(at("Sun, 09 Sep 2001 01:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(at("soon"), None);
        let day = Some(Duration::from_secs(24 * 60 * 60));
        assert_eq!(at("18446744073709551615"), day);
        assert_eq!(at("Fri, 31 Dec 9999 23:59:59 GMT"), day);
        for absurd in ["-1", "NaN", "1e308", "1.5", "99999999999999999999999", ""] {
            assert_eq!(at(absurd), None, "{absurd}");
        }
    }

    #[test]
    fn what_is_read_is_there_once_or_the_answer_is_not_believed() {
        for (body, told) in [
            (
                r#"{"access_token":"a","access_token":"b"}"#,
                "`access_token` occurs in it more than once",
            ),
            (
                r#"{"token_type":"Bearer","token\u005ftype":"DPoP"}"#,
                "`token_type` occurs in it more than once",
            ),
            (
                r#"{"error":"invalid_grant","error":"invalid_client"}"#,
                "`error` occurs in it more than once",
            ),
            (
                r#"{"client_id":null,"client_id":"x"}"#,
                "`client_id` occurs in it more than once",
            ),
        ] {
            for status in [200, 400] {
                let error = answer(status, body, &[]).object().unwrap_err().to_string();
                assert!(error.ends_with(told), "{error}");
            }
        }
        // What nobody reads does no harm.
        assert!(answer(200, r#"{"x":1,"x":2}"#, &[]).object().is_ok());
        let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
        let error = answer(200, &deep, &[]).object().unwrap_err().to_string();
        assert!(error.ends_with("nested deeper than 32 levels"), "{error}");
    }

    #[test]
    fn an_empty_body_and_a_body_of_another_shape_say_so() {
        let text = |status, body| answer(status, body, &[]).object().unwrap_err().to_string();
        assert!(text(400, "").contains("the body is empty"));
        assert!(text(200, "[1]").contains("not an object"));
        assert!(text(403, "Forbidden").contains("Forbidden"));
    }

    #[test]
    fn the_parser_is_a_cause_only_where_json_was_meant_err_11() {
        for (status, body, expected) in [
            (200, "{\"access_token\":secret}", true),
            (200, "{\"access_token\":\"secret", false),
            (200, "access_token=secret", false),
            (200, "<html>Sign in</html>", false),
            (200, "", false),
            (400, "<html>Bad Request</html>", false),
            (403, "not json", false),
            (502, "", false),
        ] {
            let error = answer(status, body, &[]).object().unwrap_err();
            let cause = std::error::Error::source(&error);
            assert_eq!(cause.is_some(), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_success_that_is_no_json_is_told_by_what_it_looks_like_and_quoted_nowhere() {
        for (body, told) in [
            ("<html>secret</html>", "the body is a web page, not JSON"),
            (
                "{\"access_token\":\"secret",
                "the body is JSON that breaks off",
            ),
            ("access_token=secret", "the body is not JSON"),
        ] {
            let error = answer(200, body, &[]).object().unwrap_err().to_string();
            assert!(
                error.ends_with(told) && !error.contains("secret"),
                "{error}"
            );
        }
    }
}

//! A request that has been read whole, and the strict reading of its parameters.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use url::form_urlencoded;

/// A request with its body.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    /// The path as sent, percent-encoding untouched.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// The URL with the host as the client wrote it.
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) client_certificate: bool,
    /// The JSON-RPC method, if the body is a JSON-RPC message that has one.
    pub(crate) rpc_method: Option<String>,
}

/// Form or query parameters with every value kept, because a repeated one is an error
/// (RFC 6749 §3.1) and the strict referee has to notice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(HashMap<String, Vec<String>>);

impl Received {
    pub(crate) fn query_parameters(&self) -> Parameters {
        Parameters::parse(self.query.as_deref().unwrap_or_default().as_bytes())
    }

    pub(crate) fn form_parameters(&self) -> Parameters {
        Parameters::parse(&self.body)
    }

    /// Whether the media type, parameters aside, is `expected`.
    pub(crate) fn has_content_type(&self, expected: &str) -> bool {
        self.header(header::CONTENT_TYPE.as_str())
            .and_then(|value| value.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case(expected))
    }

    /// Whether the `Accept` fields list `media` by name (a wildcard does not count).
    pub(crate) fn accepts(&self, media: &str) -> bool {
        self.headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| range.split(';').next())
            .any(|range| range.trim().eq_ignore_ascii_case(media))
    }

    /// The only value of a header field; `None` if it is absent, repeated or not text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    pub(crate) fn grant_type(&self) -> Option<String> {
        if !self.has_content_type(FORM) {
            return None;
        }
        self.form_parameters()
            .first("grant_type")
            .map(str::to_owned)
    }
}

impl Parameters {
    fn parse(encoded: &[u8]) -> Self {
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            all.entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
        Self(all)
    }

    /// The first value, whatever follows it.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A name that occurs more than once, other than `resource`, which has its own error.
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, values)| values.len() > 1 && *name != "resource")
            .map(|(name, _)| name.as_str())
    }
}

/// The media type of a form body.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

//! What the server answers, whether it repeats the request or not.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::form_urlencoded;
use wiremock::{Request, ResponseTemplate};

use super::super::echo::Manner;

/// Tokens that have to be refreshed at once.
pub(super) fn tokens(request: &Request) -> Value {
    let kind = match request.headers.contains_key("dpop") {
        true => "DPoP",
        false => "Bearer",
    };
    json!({
        "access_token": ACCESS, "token_type": kind, "expires_in": 1, "refresh_token": REFRESH,
    })
}

pub(super) fn exchanged() -> Value {
    json!({
        "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
        "access_token": id_jag(), "token_type": "N_A", "expires_in": 300,
    })
}

pub(super) fn id_jag() -> String {
    jwt("oauth-id-jag+jwt", &json!({ "sub": "alice", "jti": "one" }))
}

/// How an MCP server refuses, with the request in each place that people read.
pub(super) fn at_resource(manner: Manner, sent: &str) -> ResponseTemplate {
    let (status, error) = match manner {
        Manner::Json => (401, "invalid_token"),
        Manner::Code => (401, "invalid_dpop_proof"),
        Manner::IllegalToken => (403, "insufficient_scope"),
        Manner::Page => (502, "invalid_token"),
        Manner::Success => (200, "invalid_token"),
        Manner::OtherJson => (400, "invalid_request"),
        Manner::RedirectQuery | Manner::RedirectPath => return manner.answer(sent),
    };
    let quoted = sent.replace(['"', '\\'], "'");
    let challenge = format!(
        "DPoP realm=\"{quoted}\", error=\"{error}\", error_description=\"{quoted}\", scope=\"a b\""
    );
    let answer = ResponseTemplate::new(status).insert_header("www-authenticate", challenge);
    match manner {
        Manner::Page | Manner::Success => answer.set_body_raw(sent, "text/html"),
        _ => answer.set_body_json(json!({ "message": sent, "error": sent })),
    }
}

/// How an MCP server refuses in the words of the protocol.
pub(super) fn rpc_error(manner: Manner, sent: &str) -> ResponseTemplate {
    let status = match manner {
        Manner::Success => 200,
        Manner::Page => 500,
        _ => 400,
    };
    ResponseTemplate::new(status).set_body_json(json!({
        "jsonrpc": "2.0", "id": null,
        "error": { "code": -32000, "message": sent, "data": [sent] },
    }))
}

/// The request as a careless server shows it, each value cut short first, so that every one has its turn before an
/// excerpt ends.
pub(super) fn sent(request: &Request) -> String {
    let pairs = form_urlencoded::parse(&request.body).chain(request.url.query_pairs());
    let mut values: Vec<_> = pairs
        .filter(|(name, _)| !PUBLIC.contains(&name.as_ref()))
        .map(|(_, value)| value.into_owned())
        .collect();
    let headers = ["authorization", "dpop"];
    values.extend(headers.iter().filter_map(|name| header(request, name)));
    let short = |value: &String| match (value.get(..20), value.get(value.len().max(20) - 20..)) {
        (Some(start), Some(end)) if value.len() > 50 => format!("{start}…{end}"),
        _ => value.clone(),
    };
    let cut: Vec<_> = values.iter().map(short).collect();
    format!("{} {}", cut.join(" "), values.join(" "))
}

pub(super) fn header(request: &Request, name: &str) -> Option<String> {
    let value = request.headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

pub(super) fn parameter(encoded: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(encoded);
    let found = pairs.find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

/// A JWT that nobody checks.
pub(super) fn jwt(kind: &str, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "ES256", "typ": kind });
    format!("{}.{}.{SIGNATURE}", encode(&header), encode(claims))
}

/// What is long and no secret.
const PUBLIC: [&str; 13] = [
    "client_assertion_type",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "grant_type",
    "prompt",
    "redirect_uri",
    "requested_token_type",
    "resource",
    "response_type",
    "scope",
    "subject_token_type",
];
const ACCESS: &str = "mirror-access-Pz5Rd8Hc1Mf3Yj7N";
const REFRESH: &str = "mirror-refresh-Gt6Bw3Qx9Lv2Ks8D";
const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLWEtand0LXRoYXQtbm9ib2R5LWNoZWNrcw";

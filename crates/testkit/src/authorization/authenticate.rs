//! Client authentication, the same at every endpoint (RFC 6749 §2.3, RFC 7523 §2.2).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header;
use url::form_urlencoded;

use super::{
    client::{Client, ClientAuthMethod},
    server::{Core, Refusal, form},
};
use crate::{
    jws::Jws,
    request::{Parameters, Received},
};

/// A form POST that came in at one of the issuer's origins.
pub(super) struct Posted<'a> {
    pub(super) origin: &'a str,
    pub(super) request: &'a Received,
    pub(super) parameters: Parameters,
}

/// How a request authenticated its client, and with what.
struct Presented<'a> {
    id: String,
    proof: Proof<'a>,
}

enum Proof<'a> {
    None,
    Basic(String),
    Post(&'a str),
    Assertion(Jws<'a>),
}

impl<'a> Posted<'a> {
    pub(super) fn read(origin: &'a str, request: &'a Received) -> Result<Self, Refusal> {
        Ok(Self {
            origin,
            request,
            parameters: form(request)?,
        })
    }

    /// Whether it names no client in any way.
    pub(super) fn is_anonymous(&self) -> bool {
        let naming = ["client_id", "client_secret", "client_assertion"];
        !self.request.headers.contains_key(header::AUTHORIZATION)
            && naming
                .iter()
                .all(|name| self.parameters.first(name).is_none())
    }
}

/// The client, by exactly the method it is registered with. A header that names it and a
/// `client_id` in the body exclude each other.
pub(super) fn authenticate(core: &Core, posted: &Posted<'_>) -> Result<Client, Refusal> {
    let in_header = posted.request.headers.contains_key(header::AUTHORIZATION);
    if in_header && posted.parameters.first("client_id").is_some() {
        let why = "the client is named by header and by body";
        return Err(Refusal::new("invalid_request", why));
    }
    authenticate_naming(core, posted)
}

/// The same where `client_id` is a parameter in its own right (RFC 9126 §2.1).
pub(super) fn authenticate_naming(core: &Core, posted: &Posted<'_>) -> Result<Client, Refusal> {
    let presented = presented(core, posted)?;
    let client = core.client(&presented.id)?;
    check(core, posted, &client, &presented.proof)?;
    Ok(client)
}

fn check(
    core: &Core,
    posted: &Posted<'_>,
    client: &Client,
    proof: &Proof<'_>,
) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::new("invalid_client", why));
    if proof.method() != client.method {
        return refuse(&format!(
            "the client authenticates by {}, not by {}",
            client.method.as_str(),
            proof.method().as_str()
        ));
    }
    let secret = match proof {
        Proof::None => None,
        Proof::Basic(secret) => Some(secret.as_str()),
        Proof::Post(secret) => Some(*secret),
        Proof::Assertion(assertion) => return check_assertion(core, posted, client, assertion),
    };
    if secret != client.secret.as_deref() {
        return refuse("the client secret is wrong");
    }
    if client
        .secret_expires_at
        .is_some_and(|at| at <= core.clock.now())
    {
        return refuse("the client secret has expired");
    }
    Ok(())
}

/// RFC 7523 §3, with the audience as draft-ietf-oauth-rfc7523bis narrows it.
fn check_assertion(
    core: &Core,
    posted: &Posted<'_>,
    client: &Client,
    assertion: &Jws<'_>,
) -> Result<(), Refusal> {
    let refuse = |why: &str| Refusal::new("invalid_client", format!("client assertion: {why}"));
    let config = &core.config;
    let key = client
        .key
        .as_ref()
        .ok_or_else(|| refuse("the client has no key"))?;
    assertion
        .verify(key, &config.assertion_algorithms)
        .map_err(refuse)?;
    for claim in ["iss", "sub"] {
        if assertion.text(claim) != Some(&client.id) {
            return Err(refuse(&format!("{claim} is not the client id")));
        }
    }
    let own = core.issuer(posted.origin);
    let audience = config.assertion_audience.as_ref().unwrap_or(&own);
    if assertion.text("aud") != Some(audience) {
        return Err(refuse(&format!("aud is not the one text {audience}")));
    }
    let now = core.clock.now();
    assertion
        .check_times(now, Some(ASSERTION_LIFETIME))
        .map_err(refuse)?;
    let jti = assertion
        .text("jti")
        .ok_or_else(|| refuse("jti is missing"))?;
    if !core.assertions.is_first(&client.id, jti) {
        return Err(refuse("its jti was used before"));
    }
    core.count(|c| c.client_assertions += 1);
    Ok(())
}

fn presented<'a>(core: &Core, posted: &'a Posted<'_>) -> Result<Presented<'a>, Refusal> {
    let invalid = |why: &str| Refusal::new("invalid_request", why);
    let parameters = &posted.parameters;
    let in_body = parameters.first("client_id");
    let secret = parameters.first("client_secret");
    let in_header = posted.request.headers.contains_key(header::AUTHORIZATION);
    let asserted = ["client_assertion", "client_assertion_type"]
        .iter()
        .any(|name| parameters.first(name).is_some());
    let ways = [in_header, secret.is_some(), asserted];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(invalid("the client authenticates in more than one way"));
    }
    if asserted {
        return asserting(core, parameters);
    }
    if in_header {
        let (id, secret) = basic(posted.request)
            .ok_or_else(|| Refusal::new("invalid_client", "Authorization is not sound Basic"))?;
        return Ok(Presented {
            id,
            proof: Proof::Basic(secret),
        });
    }
    let id = in_body.ok_or_else(|| invalid("client_id is missing"))?;
    Ok(Presented {
        id: id.to_owned(),
        proof: secret.map_or(Proof::None, Proof::Post),
    })
}

/// The client that an assertion speaks of, before anything about it is believed.
fn asserting<'a>(core: &Core, parameters: &'a Parameters) -> Result<Presented<'a>, Refusal> {
    let refuse = |why: &str| Refusal::new("invalid_client", why);
    let needed = |name| {
        let missing = || Refusal::new("invalid_request", format!("{name} is missing"));
        parameters.first(name).ok_or_else(missing)
    };
    if core.config.assertion_algorithms.is_empty() {
        return Err(refuse("client assertions are not supported"));
    }
    if needed("client_assertion_type")? != ASSERTION_TYPE {
        return Err(refuse("the client_assertion_type is not that of a JWT"));
    }
    let assertion = Jws::parse(needed("client_assertion")?)
        .map_err(|why| refuse(&format!("client assertion: {why}")))?;
    let id = assertion
        .text("sub")
        .ok_or_else(|| refuse("client assertion: sub is missing"))?
        .to_owned();
    if parameters
        .first("client_id")
        .is_some_and(|named| named != id)
    {
        return Err(refuse("client_id is not the client of the assertion"));
    }
    Ok(Presented {
        id,
        proof: Proof::Assertion(assertion),
    })
}

impl Proof<'_> {
    fn method(&self) -> ClientAuthMethod {
        match self {
            Self::None => ClientAuthMethod::None,
            Self::Basic(_) => ClientAuthMethod::Basic,
            Self::Post(_) => ClientAuthMethod::Post,
            Self::Assertion(_) => ClientAuthMethod::PrivateKeyJwt,
        }
    }
}

/// Id and secret of a Basic header, each form-decoded (RFC 6749 §2.3.1).
fn basic(request: &Received) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

/// The text that form-encodes to `encoded`; `None` if it was not form-encoded.
fn form_decoded(encoded: &str) -> Option<String> {
    let query = format!("v={encoded}");
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest life of a client assertion.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);

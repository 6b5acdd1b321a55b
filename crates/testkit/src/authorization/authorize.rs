//! The authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9207 §2).

use std::time::Duration;

use http::{Method, StatusCode};
use url::form_urlencoded;

use super::{
    binding,
    client::Client,
    odd,
    options::{Consent, PushedRequests, StateParameter},
    pushed,
    server::{Core, Refusal, form, uncached},
    target,
    vault::{Code, Grant},
};
use crate::{
    Leg,
    browser::TICKET_FIELD,
    random,
    reply::{self, Reply, escape_html},
    request::{Parameters, Received},
};

/// A sound authorization request that waits for a decision.
#[derive(Clone)]
pub(crate) struct Pending {
    back: Back,
    client_name: String,
    client_id: String,
    challenge: String,
    nonce: Option<String>,
    dpop_jkt: Option<String>,
    scopes: Vec<String>,
    /// `None` if the request had no `resource` and needs none.
    resource: Option<String>,
    /// `audience`, where the server heeds it.
    audience: Option<String>,
    may_refresh: bool,
    subject: String,
}

/// The way back to the client, known before anything else is checked.
#[derive(Clone)]
pub(super) struct Back {
    redirect_uri: String,
    state: Option<String>,
    issuer: String,
}

impl Pending {
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    fn granted_audience(&self, core: &Core) -> String {
        match (core.audience_without(), &self.audience) {
            (Some(_), Some(audience)) => audience.clone(),
            (Some(without), None) => without.to_owned(),
            (None, _) => target::audience(core, self.resource.as_deref()),
        }
    }

    /// Binds the code to the key of a proof, which `dpop_jkt` must not contradict
    /// (RFC 9449 §10.1).
    pub(super) fn bind(&mut self, proved: Option<String>) -> Result<(), Refusal> {
        let announced = self.dpop_jkt.take();
        if announced.is_some() && proved.is_some() && announced != proved {
            let why = "dpop_jkt is not the key of the DPoP proof";
            return Err(Refusal::new("invalid_dpop_proof", why));
        }
        self.dpop_jkt = proved.or(announced);
        Ok(())
    }
}

pub(super) fn answer(core: &Core, origin: &str, request: &Received) -> Reply {
    match request.method {
        Method::GET => authorization_request(core, origin, request),
        Method::POST => decision(core, request),
        _ => reply::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn authorization_request(core: &Core, origin: &str, request: &Received) -> Reply {
    core.count(|c| c.authorization_requests += 1);
    let parameters = request.query_parameters();
    let pending = if parameters.first("request_uri").is_some() {
        match pushed::redeem(core, &parameters) {
            Ok(pending) => pending,
            Err(refusal) => return error_page(core, &refusal),
        }
    } else {
        let (client, back) = match way_back(core, origin, &parameters) {
            Ok(known) => known,
            Err(refusal) => return error_page(core, &refusal),
        };
        match check_plain(core, &client, back.clone(), &parameters) {
            Ok(pending) => pending,
            Err(refusal) => return send_back_error(core, &back, &refusal),
        }
    };
    let consent = core.settings().consent;
    match consent {
        Consent::Auto => approve(core, &pending),
        Consent::Deny => deny(core, &pending),
        Consent::Page => ask(core, pending),
    }
}

/// Client and redirect URI: while these are in doubt nothing is sent anywhere
/// (RFC 6749 §4.1.2.1).
pub(super) fn way_back(
    core: &Core,
    origin: &str,
    parameters: &Parameters,
) -> Result<(Client, Back), Refusal> {
    let one = |name| exactly_one(parameters, name);
    let client = core.client(one("client_id")?)?;
    let redirect_uri = one("redirect_uri")?;
    if !client.redirects_to(redirect_uri, core.config.loopback_any_port) {
        let why = "redirect_uri is not one of this client's";
        return Err(Refusal::new("invalid_request", why));
    }
    let back = Back {
        redirect_uri: redirect_uri.to_owned(),
        state: parameters.first("state").map(str::to_owned),
        issuer: core.issuer(origin),
    };
    Ok((client, back))
}

/// A request whose parameters are in the URL for everybody to see.
fn check_plain(
    core: &Core,
    client: &Client,
    back: Back,
    parameters: &Parameters,
) -> Result<Pending, Refusal> {
    if core.settings().pushed == PushedRequests::Required {
        let why = "authorization requests have to be pushed";
        return Err(Refusal::new("invalid_request", why));
    }
    if parameters.first("client_secret").is_some() {
        let why = "a client secret has no business in a URL";
        return Err(Refusal::new("invalid_request", why));
    }
    check(core, client, back, parameters)
}

pub(super) fn check(
    core: &Core,
    client: &Client,
    back: Back,
    parameters: &Parameters,
) -> Result<Pending, Refusal> {
    if let Some(name) = parameters.repeated() {
        let why = format!("{name} occurs more than once");
        return Err(Refusal::new("invalid_request", why));
    }
    if exactly_one(parameters, "response_type")? != "code" {
        let why = "the only response type is code";
        return Err(Refusal::new("unsupported_response_type", why));
    }
    if !client.may_use("authorization_code") {
        let why = "the client did not register this grant";
        return Err(Refusal::new("unauthorized_client", why));
    }
    if exactly_one(parameters, "state")?.is_empty() {
        return Err(Refusal::new("invalid_request", "state is empty"));
    }
    let scopes = target::scopes(core, parameters)?;
    odd::check_scopes(core, &scopes)?;
    Ok(Pending {
        back,
        client_name: client.registration["client_name"]
            .as_str()
            .unwrap_or(&client.id)
            .to_owned(),
        client_id: client.id.clone(),
        challenge: challenge(parameters)?,
        nonce: parameters.first("nonce").map(str::to_owned),
        dpop_jkt: binding::announced(core, parameters)?,
        scopes,
        audience: parameters.first("audience").map(str::to_owned),
        may_refresh: core.grants_refresh(parameters),
        resource: target::resource(core, parameters.all("resource"))?,
        subject: parameters.first("login_hint").unwrap_or(PERSON).to_owned(),
    })
}

fn ask(core: &Core, pending: Pending) -> Reply {
    let ticket = match random::opaque("ticket-") {
        Ok(ticket) => ticket,
        Err(error) => return error_page(core, &error.into()),
    };
    let page = consent_page(&pending, &ticket);
    core.pending().insert(ticket, pending);
    uncached(reply::html(StatusCode::OK, page))
}

/// What the person chose on the consent page.
fn decision(core: &Core, request: &Received) -> Reply {
    // The page posts to its own URL, so a query is expected here.
    let posted = Received {
        query: None,
        ..request.clone()
    };
    let chosen = form(&posted).and_then(|parameters| {
        let ticket = parameters.first("ticket").unwrap_or_default();
        let pending = core.pending().remove(ticket);
        let unknown = || Refusal::new("invalid_request", "this page was used already");
        let approved = parameters.first("decision") == Some("approve");
        Ok((pending.ok_or_else(unknown)?, approved))
    });
    match chosen {
        Ok((pending, true)) => approve(core, &pending),
        Ok((pending, false)) => deny(core, &pending),
        Err(refusal) => error_page(core, &refusal),
    }
}

fn approve(core: &Core, pending: &Pending) -> Reply {
    let code = match random::opaque("code-") {
        Ok(code) => code,
        Err(error) => return error_page(core, &error.into()),
    };
    let expires_at = core.clock.now() + CODE_LIFETIME;
    let (client_id, subject) = (pending.client_id.clone(), pending.subject.clone());
    let grant = Grant {
        scopes: pending.scopes.clone(),
        audience: pending.granted_audience(core),
        ..core.new_grant(pending.back.issuer.clone(), client_id, subject)
    };
    let bound = Code {
        grant,
        redirect_uri: pending.back.redirect_uri.clone(),
        challenge: pending.challenge.clone(),
        nonce: pending.nonce.clone(),
        dpop_jkt: pending.dpop_jkt.clone(),
        resource_sent: pending.resource.is_some(),
        may_refresh: pending.may_refresh,
        expires_at,
    };
    core.vault().keep_code(code.clone(), bound);
    core.count(|c| c.approvals += 1);
    send_back(core, &pending.back, &[("code", &code)])
}

fn deny(core: &Core, pending: &Pending) -> Reply {
    let refusal = Refusal::new("access_denied", "the person said no");
    send_back_error(core, &pending.back, &refusal)
}

fn send_back_error(core: &Core, back: &Back, refusal: &Refusal) -> Reply {
    core.note_refusal(Leg::Authorization, refusal);
    let description = refusal.description.as_str();
    let outcome = [("error", refusal.error), ("error_description", description)];
    send_back(core, back, &outcome)
}

fn send_back(core: &Core, back: &Back, outcome: &[(&str, &str)]) -> Reply {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(outcome);
    let state = match &core.settings().state {
        StateParameter::Echoed => back.state.clone(),
        StateParameter::Withheld => None,
        StateParameter::Wrong(value) => Some(value.clone()),
    };
    if let Some(state) = state {
        query.append_pair("state", &state);
    }
    if let Some(iss) = core.config.iss.value(&back.issuer) {
        query.append_pair("iss", &iss);
    }
    let joint = if back.redirect_uri.contains('?') {
        '&'
    } else {
        '?'
    };
    let to = format!("{}{joint}{}", back.redirect_uri, query.finish());
    uncached(reply::redirect(StatusCode::FOUND, &to))
}

fn error_page(core: &Core, refusal: &Refusal) -> Reply {
    core.note_refusal(Leg::Authorization, refusal);
    let description = escape_html(&refusal.description);
    let page = format!(
        "<!doctype html><title>Error</title><h1>{}</h1><p>{description}</p>\n",
        refusal.error
    );
    uncached(reply::html(StatusCode::BAD_REQUEST, page))
}

/// `code_challenge` with the one method there is (RFC 7636 §4.2): 43 characters of base64url.
fn challenge(parameters: &Parameters) -> Result<String, Refusal> {
    let refuse = |why| Err(Refusal::new("invalid_request", why));
    let challenge = exactly_one(parameters, "code_challenge")?;
    if exactly_one(parameters, "code_challenge_method")? != "S256" {
        return refuse("the only code_challenge_method is S256");
    }
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if challenge.len() != 43 || !challenge.bytes().all(legal) {
        return refuse("code_challenge is not the base64url of a SHA-256 hash");
    }
    Ok(challenge.to_owned())
}

fn exactly_one<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Refusal> {
    match parameters.all(name) {
        [value] => Ok(value),
        [] => Err(Refusal::new(
            "invalid_request",
            format!("{name} is missing"),
        )),
        _ => {
            let why = format!("{name} occurs more than once");
            Err(Refusal::new("invalid_request", why))
        }
    }
}

fn consent_page(pending: &Pending, ticket: &str) -> String {
    let client = escape_html(&pending.client_name);
    let resource = escape_html(pending.resource.as_deref().unwrap_or("its server"));
    let scopes = escape_html(&pending.scopes.join(", "));
    format!(
        "<!doctype html><html lang=\"en\"><title>Sign in</title>\
         <h1>Let {client} use {resource}?</h1><p>Scopes: {scopes}</p>\
         <form method=\"post\">{TICKET_FIELD}{ticket}\">\
         <button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form></html>\n"
    )
}

/// How long a code lives (RFC 6749 §4.1.2 allows ten minutes at most).
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// Who approves when the request has no `login_hint`.
pub(super) const PERSON: &str = "alice";

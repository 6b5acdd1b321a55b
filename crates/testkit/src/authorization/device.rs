//! Device authorization (RFC 8628): the endpoint, the page, and the polls.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    authenticate::{Posted, authenticate},
    authorize::PERSON,
    grant_type::GrantType,
    issue::{Issue, issue, wants_refresh},
    options::Document,
    server::{Core, Refusal, form, uncached},
    target,
    token::TokenRequest,
    vault::Grant,
};
use crate::{
    Leg,
    browser::USER_CODE_FIELD,
    random,
    reply::{self, Reply, escape_html},
    request::Received,
};

/// The device authorization grant of a server; see
/// [`device_grant`](crate::AuthorizationServerBuilder::device_grant).
#[derive(Clone, Debug)]
pub struct DeviceGrant {
    interval: Option<Duration>,
    complete: bool,
    lifetime: Duration,
}

/// The devices that wait for a person, by device code.
#[derive(Default)]
pub(crate) struct Devices(HashMap<String, Device>);

struct Device {
    user_code: String,
    grant: Grant,
    resource_sent: bool,
    expires_at: SystemTime,
    interval: Duration,
    last_poll: Option<SystemTime>,
    /// What the person said, once they did.
    approved: Option<bool>,
}

impl DeviceGrant {
    /// Ten minutes to decide, polls every five seconds, and a complete URI.
    #[must_use]
    pub fn new() -> Self {
        Self {
            interval: Some(ASSUMED_INTERVAL),
            complete: true,
            lifetime: Duration::from_secs(600),
        }
    }

    /// The pause between polls in whole seconds, which the server insists on. `None` leaves it
    /// out of the answer: then it is five seconds (RFC 8628 §3.2). Zero lets clients poll at
    /// any pace.
    #[must_use]
    pub fn interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.interval = interval.into();
        self
    }

    /// Whether the answer has `verification_uri_complete`. Default: yes.
    #[must_use]
    pub fn verification_uri_complete(mut self, on: bool) -> Self {
        self.complete = on;
        self
    }

    /// How long the person has to decide. Default: ten minutes.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// What polls are held to.
    fn pace(&self) -> Duration {
        let interval = self.interval.unwrap_or(ASSUMED_INTERVAL);
        Duration::from_secs(interval.as_secs())
    }
}

impl Default for DeviceGrant {
    fn default() -> Self {
        Self::new()
    }
}

impl Devices {
    /// Decides for the device that shows this code; `false` if none waits with it.
    pub(super) fn decide(&mut self, user_code: &str, approved: bool, now: SystemTime) -> bool {
        let wanted = letters(user_code);
        let mut devices = self.0.values_mut();
        let device = devices.find(|d| letters(&d.user_code) == wanted && d.is_waiting(now));
        let Some(device) = device else {
            return false;
        };
        device.approved = Some(approved);
        true
    }

    pub(super) fn waiting(&self, now: SystemTime) -> Vec<String> {
        let waiting = self.0.values().filter(|device| device.is_waiting(now));
        waiting.map(|device| device.user_code.clone()).collect()
    }
}

impl Device {
    fn is_waiting(&self, now: SystemTime) -> bool {
        self.approved.is_none() && self.expires_at > now
    }

    /// Whether this poll comes too soon; if so the next one has to wait five seconds more.
    fn is_hasty(&mut self, now: SystemTime, scripted: bool) -> bool {
        let earliest = self.last_poll.map(|last| last + self.interval);
        let hasty = scripted || earliest.is_some_and(|earliest| now < earliest);
        if hasty {
            self.interval += SLOW_DOWN;
        }
        self.last_poll = Some(now);
        hasty
    }
}

/// RFC 8628 §3.1 and §3.2.
pub(super) fn authorize(core: &Core, origin: &str, request: &Received) -> Reply {
    match try_authorize(core, origin, request) {
        Ok(answer) => {
            core.count(|c| c.device_authorizations += 1);
            uncached(reply::json(StatusCode::OK, &answer))
        }
        Err(refusal) => core.refuse(Leg::DeviceAuthorization, &refusal),
    }
}

fn try_authorize(core: &Core, origin: &str, request: &Received) -> Result<Value, Refusal> {
    let posted = Posted::read(origin, request)?;
    let client = authenticate(core, &posted)?;
    if !client.may_use(GrantType::DeviceCode.as_str()) {
        let why = "the client did not register this grant";
        return Err(Refusal::new("unauthorized_client", why));
    }
    let scopes = target::scopes(core, &posted.parameters)?;
    let resource = target::resource(core, posted.parameters.all("resource"))?;
    let rules = core.config.device.clone().unwrap_or_default();
    let device_code = random::opaque("device-")?;
    let user_code = random::user_code()?;
    let page = format!("{}/device", core.issuer(origin));
    let mut answer = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "expires_in": rules.lifetime.as_secs(),
    });
    if rules.complete {
        answer["verification_uri_complete"] = json!(format!("{page}?user_code={user_code}"));
    }
    if let Some(interval) = rules.interval {
        answer["interval"] = json!(interval.as_secs());
    }
    let device = Device {
        user_code,
        grant: Grant {
            scopes,
            audience: target::audience(core, resource.as_deref()),
            ..core.new_grant(core.issuer(origin), client.id, PERSON.to_owned())
        },
        resource_sent: resource.is_some(),
        expires_at: core.clock.now() + rules.lifetime,
        interval: rules.pace(),
        last_poll: None,
        approved: None,
    };
    core.devices().0.insert(device_code, device);
    core.settings()
        .apply(Document::DeviceAuthorization, &mut answer);
    Ok(answer)
}

/// The page at `verification_uri` (RFC 8628 §3.3).
pub(super) fn page(core: &Core, request: &Received) -> Reply {
    match request.method {
        Method::GET => {
            let parameters = request.query_parameters();
            let code = parameters.first("user_code").unwrap_or_default();
            uncached(reply::html(StatusCode::OK, entry_page(code)))
        }
        Method::POST => decision(core, request),
        _ => reply::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn decision(core: &Core, request: &Received) -> Reply {
    let now = core.clock.now();
    let decided = form(request).and_then(|parameters| {
        let code = parameters.first("user_code").unwrap_or_default();
        let approved = parameters.first("decision") == Some("approve");
        let unknown = || Refusal::new("invalid_request", "no device shows this code");
        let found = core.devices().decide(code, approved, now);
        found.then_some(()).ok_or_else(unknown)
    });
    let (status, words) = match decided {
        Ok(()) => (StatusCode::OK, "You may close this page."),
        Err(refusal) => {
            core.note_refusal(Leg::DeviceVerification, &refusal);
            (StatusCode::BAD_REQUEST, "No device shows this code.")
        }
    };
    let page = format!("<!doctype html><title>Device</title><p>{words}</p>\n");
    uncached(reply::html(status, page))
}

fn entry_page(user_code: &str) -> String {
    let user_code = escape_html(user_code);
    format!(
        "<!doctype html><html lang=\"en\"><title>Device</title>\
         <h1>Which code does your device show?</h1>\
         <form method=\"post\">{USER_CODE_FIELD}{user_code}\">\
         <button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form></html>\n"
    )
}

/// One poll (RFC 8628 §3.4 and §3.5).
pub(super) fn grant(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let core = request.core;
    core.count(|c| c.device_polls += 1);
    let code = request.required("device_code")?;
    let approved = poll(request, code)?;
    let refreshable = request.client.may_use("refresh_token");
    let answer = issue(
        core,
        Issue {
            refreshable: refreshable && wants_refresh(core, &approved.grant),
            scopes: approved.grant.scopes.clone(),
            grant: request.bound(approved.grant),
            resource_sent: approved.resource_sent,
            nonce: None,
            thumbprint: request.thumbprint.clone(),
            spent: None,
        },
    )?;
    core.count(|c| c.device_grants += 1);
    Ok(answer)
}

/// The device, taken off the list, if it was approved.
fn poll(request: &TokenRequest<'_>, code: &str) -> Result<Device, Refusal> {
    let core = request.core;
    let refuse = |error, why: &str| Refusal::new(error, why);
    let unknown = || refuse("invalid_grant", "no device waits with this device_code");
    let now = core.clock.now();
    let mut devices = core.devices();
    let device = devices.0.get_mut(code).ok_or_else(unknown)?;
    if device.grant.client_id != request.client.id {
        return Err(refuse(
            "invalid_grant",
            "this device_code is another client's",
        ));
    }
    target::check_resource(
        core,
        request.parameters,
        &device.grant.audience,
        device.resource_sent,
    )?;
    if device.expires_at <= now {
        return Err(refuse("expired_token", "this device_code has expired"));
    }
    let scripted = core.settings().takes_slow_down();
    if device.is_hasty(now, scripted) {
        return Err(refuse("slow_down", "this poll comes too soon"));
    }
    match device.approved {
        None => Err(refuse("authorization_pending", "nobody has decided yet")),
        Some(false) => Err(refuse("access_denied", "the person said no")),
        Some(true) => devices.0.remove(code).ok_or_else(unknown),
    }
}

/// A user code as people may type it: letter case and hyphens do not matter (RFC 8628 §6.1).
fn letters(user_code: &str) -> String {
    user_code
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// RFC 8628 §3.2: what clients assume if the answer does not say.
const ASSUMED_INTERVAL: Duration = Duration::from_secs(5);
/// RFC 8628 §3.5.
const SLOW_DOWN: Duration = Duration::from_secs(5);

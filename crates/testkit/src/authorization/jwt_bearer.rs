//! Assertions as grants (RFC 7523 §2.1 and §3): workload identity, and the identity assertions
//! of an enterprise (draft-ietf-oauth-identity-assertion-authz-grant §4.4).

use serde_json::{Value, json};

use super::{
    authenticate::{Posted, authenticate},
    binding,
    client::{Client, texts},
    grant_type::GrantType,
    issue::{Issue, issue},
    server::{Core, Refusal},
    target,
    vault::Grant,
};
use crate::{PublicKey, SigningAlgorithm, jws::Jws};

/// Somebody whose signed assertions a server takes as grants; see
/// [`jwt_bearer`](crate::AuthorizationServerBuilder::jwt_bearer).
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    issuer: String,
    key: PublicKey,
    kind: Kind,
    once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Workload,
    IdJag,
}

impl TrustedIssuer {
    /// A platform that gives its workloads JWTs. A client need not be named.
    #[must_use]
    pub fn workload(issuer: impl Into<String>, key: &PublicKey) -> Self {
        Self::new(issuer.into(), key, Kind::Workload)
    }

    /// An identity provider that issues ID-JAGs: typed JWTs for one client and one resource.
    /// The client has to be named, and authenticates as it is registered.
    #[must_use]
    pub fn id_jag(issuer: impl Into<String>, key: &PublicKey) -> Self {
        Self::new(issuer.into(), key, Kind::IdJag)
    }

    /// Whether assertions need a `jti` and are accepted only once. Default: they may come again.
    #[must_use]
    pub fn once(mut self, on: bool) -> Self {
        self.once = on;
        self
    }

    fn new(issuer: String, key: &PublicKey, kind: Kind) -> Self {
        Self {
            issuer,
            key: key.clone(),
            kind,
            once: false,
        }
    }

    pub(super) fn is_id_jag(&self) -> bool {
        self.kind == Kind::IdJag
    }
}

pub(super) fn grant(core: &Core, posted: &Posted<'_>) -> Result<Value, Refusal> {
    let client = if posted.is_anonymous() {
        None
    } else {
        let client = authenticate(core, posted)?;
        if !client.may_use(GrantType::JwtBearer.as_str()) {
            let why = "the client did not register this grant";
            return Err(Refusal::new("unauthorized_client", why));
        }
        Some(client)
    };
    let thumbprint = binding::demanded(core, posted, client.as_ref())?;
    let missing = || Refusal::new("invalid_request", "assertion is missing");
    let text = posted.parameters.first("assertion").ok_or_else(missing)?;
    let assertion = Jws::parse(text).map_err(refuse)?;
    let trusted = check(core, posted, &assertion)?;
    let mut resource = target::resource(core, posted.parameters.all("resource"))?;
    let resource_sent = resource.is_some();
    let mut scopes = target::scopes(core, &posted.parameters)?;
    if trusted.is_id_jag() {
        check_id_jag(&assertion, client.as_ref(), resource.as_deref())?;
        check_key(&assertion, thumbprint.as_deref())?;
        resource = assertion.text("resource").map(str::to_owned);
        scopes = within(&assertion, scopes)?;
    }
    use_up(core, &trusted, &assertion)?;
    let subject = assertion.text("sub").unwrap_or_default().to_owned();
    let client_id = client.map_or_else(|| subject.clone(), |client| client.id);
    let grant = Grant {
        scopes: scopes.clone(),
        audience: target::audience(core, resource.as_deref()),
        ..core.new_grant(core.issuer(posted.origin), client_id, subject)
    };
    let answer = issue(
        core,
        Issue {
            grant,
            scopes,
            // Who has an assertion needs none.
            refreshable: false,
            resource_sent,
            nonce: None,
            thumbprint,
            spent: None,
        },
    )?;
    core.count(|c| c.jwt_bearer_grants += 1);
    Ok(answer)
}

/// RFC 7523 §3, and the type of the assertion.
fn check(core: &Core, posted: &Posted<'_>, assertion: &Jws<'_>) -> Result<TrustedIssuer, Refusal> {
    let iss = assertion.text("iss");
    let trusted = core.settings().trusted.clone();
    let trusted = trusted
        .into_iter()
        .find(|trusted| Some(trusted.issuer.as_str()) == iss)
        .ok_or_else(|| refuse("nobody trusts its iss"))?;
    assertion
        .verify(&trusted.key, &SigningAlgorithm::ALL)
        .map_err(refuse)?;
    if (assertion.header["typ"] == ID_JAG_TYPE) != trusted.is_id_jag() {
        return Err(refuse("its typ is not that of this issuer's assertions"));
    }
    assertion
        .text("sub")
        .ok_or_else(|| refuse("sub is missing"))?;
    let own = core.issuer(posted.origin);
    let audience = &assertion.claims["aud"];
    let list = texts(audience);
    // Platforms write long lists; an ID-JAG is for one server.
    let listed = list.contains(&own) && (list.len() == 1 || !trusted.is_id_jag());
    if *audience != own && !listed {
        return Err(refuse("aud is not the issuer identifier"));
    }
    let now = core.clock.now();
    assertion.check_times(now, None).map_err(refuse)?;
    Ok(trusted)
}

/// What an ID-JAG says about client and resource.
fn check_id_jag(
    assertion: &Jws<'_>,
    client: Option<&Client>,
    resource: Option<&str>,
) -> Result<(), Refusal> {
    let Some(client) = client else {
        let why = "an ID-JAG is presented by the client that it was issued to";
        return Err(Refusal::new("invalid_client", why));
    };
    if assertion.text("client_id") != Some(&client.id) {
        return Err(refuse("its client_id is not the client that authenticated"));
    }
    if assertion.text("jti").is_none() {
        return Err(refuse("jti is missing"));
    }
    let stated = assertion.text("resource");
    if stated.is_none() {
        return Err(refuse("it has no resource"));
    }
    if resource.is_some() && resource != stated {
        let why = "resource is not the one of the assertion";
        return Err(Refusal::new("invalid_target", why));
    }
    Ok(())
}

/// An ID-JAG that is bound to a key is presented with a proof of that key.
fn check_key(assertion: &Jws<'_>, used: Option<&str>) -> Result<(), Refusal> {
    match assertion.claims["cnf"]["jkt"].as_str() {
        Some(bound) if used != Some(bound) => Err(refuse("it is bound to another key")),
        _ => Ok(()),
    }
}

/// The scopes of an ID-JAG, or those of them that the request asks for.
fn within(assertion: &Jws<'_>, asked: Vec<String>) -> Result<Vec<String>, Refusal> {
    let Some(granted) = assertion.text("scope") else {
        return Ok(asked);
    };
    let granted: Vec<String> = granted.split(' ').map(str::to_owned).collect();
    if asked.is_empty() {
        return Ok(granted);
    }
    if asked.iter().all(|scope| granted.contains(scope)) {
        return Ok(asked);
    }
    let why = "the assertion does not have all of these scopes";
    Err(Refusal::new("invalid_scope", why))
}

fn use_up(core: &Core, trusted: &TrustedIssuer, assertion: &Jws<'_>) -> Result<(), Refusal> {
    if !trusted.once {
        return Ok(());
    }
    let jti = assertion
        .text("jti")
        .ok_or_else(|| refuse("jti is missing"))?;
    if core.grants.is_first(&trusted.issuer, jti) {
        Ok(())
    } else {
        Err(refuse("its jti was used before"))
    }
}

/// The metadata that says what kinds of assertions are taken.
pub(super) fn describe(core: &Core, document: &mut Value) {
    let settings = core.settings();
    if settings.trusted.iter().any(TrustedIssuer::is_id_jag) {
        document["authorization_grant_profiles_supported"] = json!([ID_JAG_PROFILE]);
    }
}

fn refuse(why: &str) -> Refusal {
    Refusal::new("invalid_grant", format!("assertion: {why}"))
}

/// draft-ietf-oauth-identity-assertion-authz-grant §3.
pub(super) const ID_JAG_TYPE: &str = "oauth-id-jag+jwt";
const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

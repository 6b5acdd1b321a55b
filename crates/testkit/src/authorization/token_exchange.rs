//! Token exchange (RFC 8693) as far as an identity provider needs it: ID-JAGs
//! (draft-ietf-oauth-identity-assertion-authz-grant §4.3), and refresh tokens for SAML sign-ons.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{
    binding,
    issue::refresh_refused,
    jwt_bearer::ID_JAG_TYPE,
    openid,
    options::Document,
    server::{Core, Refusal},
    target,
    token::TokenRequest,
    vault::Grant,
};
use crate::{Error, clock, random};

/// A client of the identity provider as another authorization server knows it.
#[derive(Clone, Debug)]
pub(super) struct ForeignClient {
    pub(super) audience: String,
    pub(super) client_id: String,
    pub(super) there: String,
}

pub(super) fn grant(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let core = request.core;
    if request.parameters.first("actor_token").is_some() {
        return Err(invalid("nobody acts for others here"));
    }
    let mut answer = match request.required("requested_token_type")? {
        ID_JAG => id_jag(request)?,
        REFRESH_TOKEN => refresh_token(request)?,
        _ => return Err(invalid("requested_token_type is none that is issued here")),
    };
    answer["token_type"] = json!("N_A");
    core.settings().apply(Document::TokenExchange, &mut answer);
    core.count(|c| c.token_exchanges += 1);
    Ok(answer)
}

fn id_jag(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let core = request.core;
    let missing = || Refusal::from(Error::UnsupportedKey { reason: NO_KEY });
    let key = core.config.openid.as_ref().ok_or_else(missing)?;
    let subject = subject(request)?;
    let audience = request.required("audience")?;
    let client_there = client_there(core, &request.client.id, audience)?;
    let resource = resource(request)?;
    let scopes = granted(core, target::scope_tokens(core, request.parameters)?);
    let now = core.clock.now();
    let mut claims = json!({
        "iss": request.issuer(),
        "sub": subject,
        "aud": audience,
        "client_id": client_there,
        "resource": resource,
        "jti": random::opaque("id-jag-")?,
        "iat": clock::seconds(now),
        "exp": clock::seconds(now + LIFETIME),
    });
    let mut answer = json!({ "issued_token_type": ID_JAG, "expires_in": LIFETIME.as_secs() });
    if !scopes.is_empty() {
        claims["scope"] = json!(scopes.join(" "));
        answer["scope"] = claims["scope"].clone();
    }
    if let Some(thumbprint) = &request.thumbprint {
        claims["cnf"] = json!({ "jkt": thumbprint });
    }
    core.settings().apply(Document::IdJag, &mut claims);
    answer["access_token"] = json!(key.sign(&openid::header(key, ID_JAG_TYPE), &claims)?);
    Ok(answer)
}

/// Whom the subject token speaks of.
fn subject(request: &TokenRequest<'_>) -> Result<String, Refusal> {
    let core = request.core;
    let token = request.required("subject_token")?;
    match request.required("subject_token_type")? {
        ID_TOKEN => openid::subject_of(core, &request.issuer(), &request.client.id, token)
            // RFC 8693 §2.2.2.
            .map_err(|why| invalid(&format!("subject_token: {why}"))),
        REFRESH_TOKEN => {
            let now = core.clock.now();
            let known = core.vault().refresh_token(token, &request.client.id, now);
            let known = known.map_err(|why| refresh_refused(core, why))?;
            let used = request.thumbprint.as_ref();
            binding::check_key(core, known.grant.bound_to.as_ref(), used, "refresh token")?;
            Ok(known.grant.subject)
        }
        _ => Err(invalid(
            "subject_token_type is none that an ID-JAG comes of",
        )),
    }
}

/// What the authorization server of that name calls the client. Without a list it is called
/// the same everywhere.
fn client_there(core: &Core, client_id: &str, audience: &str) -> Result<String, Refusal> {
    let settings = core.settings();
    if settings.foreign_clients.is_empty() {
        return Ok(client_id.to_owned());
    }
    let mut known = settings.foreign_clients.iter();
    let known = known.find(|known| known.audience == audience && known.client_id == client_id);
    match known {
        Some(known) => Ok(known.there.clone()),
        None => {
            let why = "the client is not known at this audience";
            Err(Refusal::new("invalid_target", why))
        }
    }
}

/// The one resource, which is not of this server.
fn resource<'a>(request: &'a TokenRequest<'_>) -> Result<&'a str, Refusal> {
    let [resource] = request.parameters.all("resource") else {
        let why = "resource is needed exactly once";
        return Err(Refusal::new("invalid_target", why));
    };
    if !Url::parse(resource).is_ok_and(|url| url.fragment().is_none()) {
        let why = "resource is not an absolute URI without fragment";
        return Err(Refusal::new("invalid_target", why));
    }
    Ok(resource)
}

/// The scopes that the policy of the provider leaves.
fn granted(core: &Core, mut scopes: Vec<String>) -> Vec<String> {
    if let Some(allowed) = &core.settings().id_jag_scopes {
        scopes.retain(|scope| allowed.contains(scope));
    }
    scopes
}

/// A refresh token for a SAML assertion that the test registered.
fn refresh_token(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let core = request.core;
    if request.required("subject_token_type")? != SAML2 {
        return Err(invalid("a refresh token comes of a SAML assertion only"));
    }
    let assertion = request.required("subject_token")?;
    let subject = core.settings().saml_assertions.get(assertion).cloned();
    let subject = subject.ok_or_else(|| invalid("subject_token: nobody registered it"))?;
    let scopes = target::scopes(core, request.parameters)?;
    let resource = target::resource(core, request.parameters.all("resource"))?;
    let token = random::opaque("rt-")?;
    let mut answer = json!({ "issued_token_type": REFRESH_TOKEN, "access_token": token });
    if !scopes.is_empty() {
        answer["scope"] = json!(scopes.join(" "));
    }
    let grant = Grant {
        scopes,
        audience: target::audience(core, resource.as_deref()),
        ..core.new_grant(request.issuer(), request.client.id.clone(), subject)
    };
    let grant = request.bound(grant);
    core.vault().keep_refresh(token, grant, resource.is_some());
    Ok(answer)
}

/// The metadata of a server that issues ID-JAGs.
pub(super) fn describe(document: &mut Value) {
    document["identity_chaining_requested_token_types_supported"] = json!([ID_JAG]);
}

fn invalid(why: &str) -> Refusal {
    Refusal::new("invalid_request", why)
}

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
/// RFC 8693 §3.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
const NO_KEY: &str = "a server that is no OpenID provider has none";
/// How long an ID-JAG lives.
const LIFETIME: Duration = Duration::from_secs(300);

//! What a request asks for: scopes (RFC 6749 §3.3) and the one resource (RFC 8707 §2).

use url::Url;

use super::{
    odd,
    options::ResourceParameter,
    server::{Core, Refusal},
};
use crate::request::Parameters;

/// The scopes of a request; none if it names none.
pub(super) fn scopes(core: &Core, parameters: &Parameters) -> Result<Vec<String>, Refusal> {
    let scopes = scope_tokens(core, parameters)?;
    let supported = core.config.scopes();
    match scopes.iter().find(|s| !supported.contains(s)) {
        Some(unknown) if !supported.is_empty() => {
            let why = format!("there is no scope {unknown}");
            Err(Refusal::new("invalid_scope", why))
        }
        _ => Ok(scopes),
    }
}

/// The scopes of a request, whether they exist or not.
pub(super) fn scope_tokens(core: &Core, parameters: &Parameters) -> Result<Vec<String>, Refusal> {
    let Some(scope) = odd::scope_parameter(core, parameters) else {
        return Ok(Vec::new());
    };
    let scopes: Vec<String> = scope.split(' ').map(str::to_owned).collect();
    if scopes.iter().all(|scope| is_scope_token(scope)) {
        return Ok(scopes);
    }
    let why = "scope is empty or not a list of scope tokens";
    Err(Refusal::new("invalid_scope", why))
}

/// The one `resource` of a request, if the server wants one.
pub(super) fn resource(core: &Core, sent: &[String]) -> Result<Option<String>, Refusal> {
    if core.audience_without().is_some() {
        return Ok(None);
    }
    let refuse = |why: String| Err(Refusal::new("invalid_target", why));
    let [resource] = sent else {
        return match (sent.len(), &core.config.resource_parameter) {
            (0, ResourceParameter::Required) => refuse("resource is missing".into()),
            (0, _) => Ok(None),
            (n, _) => refuse(format!("resource occurs {n} times")),
        };
    };
    if matches!(
        core.config.resource_parameter,
        ResourceParameter::Refused(_)
    ) {
        return refuse("resource is not supported here".into());
    }
    if !Url::parse(resource).is_ok_and(|url| url.fragment().is_none()) {
        return refuse("resource is not an absolute URI without fragment".into());
    }
    if !core.knows_resource(resource) {
        return refuse(format!("no resource of this server is {resource}"));
    }
    Ok(Some(resource.clone()))
}

/// The audience of a grant: the resource, or what the server assumes without one.
pub(super) fn audience(core: &Core, resource: Option<&str>) -> String {
    match (&core.config.resource_parameter, resource) {
        (ResourceParameter::Optional(assumed) | ResourceParameter::Refused(assumed), None) => {
            assumed.clone()
        }
        (_, resource) => resource.unwrap_or_default().to_owned(),
    }
}

/// `resource` exactly once and the one that was authorized; not at all if it was not sent
/// at authorization.
pub(super) fn check_resource(
    core: &Core,
    parameters: &Parameters,
    audience: &str,
    sent_before: bool,
) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::new("invalid_target", why));
    match resource(core, parameters.all("resource"))? {
        None if sent_before => refuse("resource is missing, it was authorized with one"),
        None => Ok(()),
        Some(_) if !sent_before => refuse("it was authorized without resource"),
        Some(resource) if resource != audience => {
            refuse("resource is not the one that was authorized")
        }
        Some(_) => Ok(()),
    }
}

/// RFC 6749 §3.3: printable ASCII but for space, `"` and `\`.
fn is_scope_token(text: &str) -> bool {
    let legal = |c: u8| matches!(c, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(legal)
}

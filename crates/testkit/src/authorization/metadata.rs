//! Authorization server metadata (RFC 8414 §2, OpenID Connect Discovery §3).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    client::ClientAuthMethod,
    grant_type::GrantType,
    jwt_bearer,
    options::{Document, IssParameter, MetadataKind, PushedRequests},
    server::Core,
    token_exchange,
};
use crate::{
    Dpop, SigningAlgorithm,
    reply::{self, Reply},
    request::Received,
};

/// The two forms of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    OAuth,
    OpenId,
}

/// Which document is at `path`, if any.
pub(super) fn metadata_at(core: &Core, path: &str) -> Option<Form> {
    let below = &core.config.issuer_path;
    let places = [
        (MetadataKind::OAuth, Form::OAuth, format!("{OAUTH}{below}")),
        (
            MetadataKind::OpenId,
            Form::OpenId,
            format!("{OPENID}{below}"),
        ),
        (
            MetadataKind::OpenIdAppended,
            Form::OpenId,
            format!("{below}{OPENID}"),
        ),
    ];
    let wanted = core.config.metadata;
    places
        .into_iter()
        .filter(|(kind, ..)| wanted == MetadataKind::Both || wanted == *kind)
        .find_map(|(_, form, place)| (place == path).then_some(form))
}

pub(super) fn answer(core: &Core, origin: &str, request: &Received) -> Reply {
    if request.method != Method::GET {
        return reply::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Some(form) = metadata_at(core, &request.path) else {
        return reply::text(StatusCode::NOT_FOUND, "no metadata here\n");
    };
    let mut document = document(core, &core.issuer(origin));
    if form == Form::OpenId {
        add_openid_members(core, &mut document);
    }
    core.settings().apply(Document::Metadata, &mut document);
    reply::json(StatusCode::OK, &document)
}

/// The authentication methods that clients of this server may have.
pub(super) fn auth_methods(core: &Core) -> Vec<ClientAuthMethod> {
    match core.config.registration_method {
        Some(only) => vec![only],
        None => {
            let mut methods = ClientAuthMethod::ALL.to_vec();
            let signed = !core.config.assertion_algorithms.is_empty();
            methods.retain(|method| *method != ClientAuthMethod::PrivateKeyJwt || signed);
            methods
        }
    }
}

fn document(core: &Core, issuer: &str) -> Value {
    let config = &core.config;
    let methods = auth_methods(core);
    let methods: Vec<&str> = methods.iter().map(|m| m.as_str()).collect();
    let grants = GrantType::offered(core);
    let grants: Vec<&str> = grants.iter().map(|g| g.as_str()).collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
    });
    if !config.assertion_algorithms.is_empty() {
        let algorithms = SigningAlgorithm::names(&config.assertion_algorithms);
        for endpoint in ["token", "revocation"] {
            let member = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
            document[member] = json!(algorithms);
        }
    }
    let (dpop, pushed) = {
        let settings = core.settings();
        (settings.dpop, settings.pushed)
    };
    if pushed != PushedRequests::Off {
        document["pushed_authorization_request_endpoint"] = json!(format!("{issuer}/par"));
    }
    if pushed == PushedRequests::Required {
        document["require_pushed_authorization_requests"] = json!(true);
    }
    jwt_bearer::describe(core, &mut document);
    if config.token_exchange {
        token_exchange::describe(&mut document);
    }
    if config.device.is_some() {
        let endpoint = format!("{issuer}/device_authorization");
        document["device_authorization_endpoint"] = json!(endpoint);
    }
    if dpop != Dpop::Off {
        let algorithms = SigningAlgorithm::names(&config.dpop_algorithms);
        document["dpop_signing_alg_values_supported"] = json!(algorithms);
    }
    if config.dynamic_registration {
        document["registration_endpoint"] = json!(format!("{issuer}/register"));
    }
    if config.metadata_document_clients {
        document["client_id_metadata_document_supported"] = json!(true);
    }
    if !config.scopes_supported.is_empty() {
        document["scopes_supported"] = json!(config.scopes());
    }
    if config.iss.is_advertised() {
        document["authorization_response_iss_parameter_supported"] = json!(true);
    }
    document
}

impl IssParameter {
    fn is_advertised(&self) -> bool {
        matches!(self, Self::Advertised | Self::Withheld | Self::Wrong(_))
    }

    /// The value to send, if any.
    pub(super) fn value(&self, issuer: &str) -> Option<String> {
        match self {
            Self::Advertised | Self::Unadvertised => Some(issuer.to_owned()),
            Self::Absent | Self::Withheld => None,
            Self::Wrong(value) | Self::WrongUnadvertised(value) => Some(value.clone()),
        }
    }
}

/// Whether clients look for authorization server metadata at `path`.
pub(crate) fn is_well_known(path: &str) -> bool {
    path.starts_with(OAUTH) || path.starts_with(OPENID) || path.ends_with(OPENID)
}

fn add_openid_members(core: &Core, document: &mut Value) {
    let issuer = document["issuer"].as_str().unwrap_or_default();
    document["jwks_uri"] = json!(format!("{issuer}/jwks"));
    document["subject_types_supported"] = json!(["public"]);
    let key = core.config.openid.as_ref();
    let algorithm = key.map_or("RS256", |key| key.algorithm().as_str());
    document["id_token_signing_alg_values_supported"] = json!([algorithm]);
}

/// RFC 8414 §3.
const OAUTH: &str = "/.well-known/oauth-authorization-server";
/// OpenID Connect Discovery §4.
const OPENID: &str = "/.well-known/openid-configuration";

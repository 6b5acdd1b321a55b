//! Which authorization server guards the resource, by the same discovery that a login does.

use doorkey_discovery::{
    Discovered, Discovery, DocumentError, Error as DiscoveryError, Failure, ResourceMatchKind,
    authorization_server_candidates,
};
use doorkey_http::{Leg, Recorded, RedactedUrl, Trouble};
use http::StatusCode;

use super::answer::Judged;
use super::asking::Asked;
use super::diagnosis::Evidence;
use super::engine::{Doctor, Patient, told};
use super::fault::{Fault, Step};
use super::seen;
use super::table::{discovery as table, first, network as net};
use super::way::of_trouble;

impl Doctor<'_> {
    pub(super) async fn discovery(
        &mut self,
        patient: &Patient,
        asked: &Asked,
    ) -> Option<Discovered> {
        let because = match (&asked.challenges, patient.server.bearer_key()) {
            (None, _) => Some("the server asks for no login".to_owned()),
            (_, Some(key)) => Some(format!("the token that {key} names is used")),
            _ => None,
        };
        let (Some(challenges), Some(config), None) =
            (&asked.challenges, patient.tokens().config(), &because)
        else {
            let because = because.unwrap_or_default();
            for step in LOGIN_STEPS {
                self.notes.skip(step, because.clone());
            }
            return None;
        };
        self.notes.begin(Step::ResourceMetadata);
        let mark = self.recorder.len();
        let mut options = config.discovery_options();
        if let Ok(Some(stored)) = patient.tokens().grant().await {
            options
                .prefer
                .push(doorkey_oauth::Issuer::new(stored.value.issuer));
        }
        let discovery = Discovery::new(patient.session.http.clone(), options);
        let outcome = discovery.discover(&patient.server.url, challenges).await;
        let exchanges = self.since(mark);
        let (resource, servers): (Vec<_>, Vec<_>) = exchanges
            .into_iter()
            .partition(|it| it.leg == Leg::ResourceMetadata);
        match outcome {
            Ok(found) => {
                self.found(&found, &resource, &servers);
                Some(found)
            }
            Err(error) => {
                self.not_found(&error, asked, &resource, &servers);
                None
            }
        }
    }

    fn found(&mut self, found: &Discovered, resource: &[Recorded], servers: &[Recorded]) {
        self.notes.issuer = found.server.listed.as_str().to_owned();
        let kind = match found.match_kind {
            ResourceMatchKind::Exact => "this server exactly",
            ResourceMatchKind::Parent => "a parent of this server's URL",
            _ => "not published; made of this server's URL",
        };
        let what = clean(found.resource.as_str());
        self.notes.ok(format!("resource {what} ({kind})"));
        self.notes.places(places(resource));
        self.notes.begin(Step::AuthorizationServer);
        self.passed_over(found, servers);
        let source = found.source.as_str().replace('_', " ");
        self.notes.ok(format!(
            "{} (by {source})",
            clean(found.server.listed.as_str())
        ));
        self.notes.places(places(servers));
    }

    /// Authorization servers that are named before the one that is used, and had nothing to say.
    fn passed_over(&mut self, found: &Discovered, servers: &[Recorded]) {
        let listed = found.resource_metadata.iter();
        let others = listed
            .flat_map(|metadata| &metadata.authorization_servers)
            .filter(|issuer| **issuer != found.server.listed);
        let mut failed = Vec::new();
        let mut shown = None;
        for issuer in others {
            let places = authorization_server_candidates(issuer).unwrap_or_default();
            let asked = servers.iter().find(|it| places.contains(&it.url));
            if let Some(asked) = asked {
                failed.push(clean(issuer.as_str()));
                shown.get_or_insert(asked);
            }
        }
        if let Some(shown) = shown {
            let evidence = self.notes.evidence(shown);
            let values = [("value", failed.join(", "))];
            self.notes
                .find(&table::SERVER_PASSED_OVER, Some(evidence), &values);
        }
    }

    fn not_found(
        &mut self,
        error: &DiscoveryError,
        asked: &Asked,
        resource: &[Recorded],
        servers: &[Recorded],
    ) {
        let is_of_server = is_of_server(error);
        if is_of_server {
            let place = resource
                .last()
                .map(|it| RedactedUrl::from(seen::place(it)).to_string());
            self.notes.ok(match place {
                Some(place) => format!("found at {place}"),
                None => "not asked for".to_owned(),
            });
            self.notes.places(places(resource));
            self.notes.begin(Step::AuthorizationServer);
        }
        let exchanges = if is_of_server { servers } else { resource };
        if let DiscoveryError::IssuerMismatch {
            issuer, published, ..
        } = error
        {
            self.notes.listed = Some(issuer.as_str().to_owned());
            if let Some(published) = published {
                self.notes.issuer = clean(published.as_str());
            }
        }
        let (judged, place) = judge(error);
        let exchange = match &place {
            Some(place) => exchanges
                .iter()
                .find(|it| RedactedUrl::from(&it.url).as_str() == place),
            None => exchanges.last(),
        };
        // The challenge shows what is wrong with the challenge.
        let exchange = match judged.fault.step {
            Step::Challenge => asked.exchange.as_ref(),
            _ => exchange,
        };
        let evidence = match exchange {
            Some(exchange) => self.notes.evidence(exchange),
            None => Evidence {
                url: place,
                ..Evidence::default()
            },
        };
        self.notes
            .fail(judged.fault, Some(evidence), &[("value", judged.value)]);
        self.notes.places(places(exchanges));
    }
}

/// Steps that only a server needs which wants a login.
const LOGIN_STEPS: [Step; 4] = [
    Step::ResourceMetadata,
    Step::AuthorizationServer,
    Step::Capabilities,
    Step::Registration,
];

fn clean(text: &str) -> String {
    doorkey_http::clean_text(text, 300)
}

/// Each place with what came of it.
fn places(exchanges: &[Recorded]) -> Vec<String> {
    exchanges
        .iter()
        .map(|it| {
            let url = seen::shown(&it.url);
            match (seen::status(it), seen::first_cause(it)) {
                (Some(status), _) => format!("{url}: {}", status.as_u16()),
                (None, Some(cause)) => format!("{url}: {}", doorkey_http::clean_text(cause, 100)),
                (None, None) => format!("{url}: no answer"),
            }
        })
        .collect()
}

fn is_of_server(error: &DiscoveryError) -> bool {
    match error {
        DiscoveryError::IssuerMismatch { .. } => true,
        DiscoveryError::NotFound { leg, .. }
        | DiscoveryError::Unreachable { leg, .. }
        | DiscoveryError::Invalid { leg, .. } => *leg == Leg::AuthorizationServerMetadata,
        _ => false,
    }
}

/// The fault behind a failed discovery, and the place that shows it.
fn judge(error: &DiscoveryError) -> (Judged, Option<String>) {
    use DiscoveryError as E;
    match error {
        E::NotFound { leg, source } | E::Unreachable { leg, source } => {
            let Some(lead) = source.lead() else {
                return (Judged::new(&table::RESOURCE_METADATA_MISSING, ""), None);
            };
            let judged = of_failure(*leg, lead.failure());
            (judged, Some(lead.place().to_owned()))
        }
        E::IssuerMismatch {
            issuer,
            published,
            source,
        } => {
            let published = published.as_ref().map_or("none", |it| it.as_str());
            let value = format!(
                "the MCP server names {}, and the document there says {}",
                clean(issuer.as_str()),
                clean(published)
            );
            let place = source.lead().map(|lead| lead.place().to_owned());
            (Judged::new(&table::ISSUER_MISMATCH, value), place)
        }
        E::Invalid { leg, url, source } => (of_document(*leg, source), Some(url.to_string())),
        E::ResourceMismatch { url, source } => (
            Judged::new(&table::RESOURCE_OTHER, clean(&source.to_string())),
            Some(url.to_string()),
        ),
        E::MetadataUrl { source } => (
            Judged::new(&first::METADATA_URL_REFUSED, source.to_string()),
            None,
        ),
        E::NoAuthorizationServer { url } => (
            Judged::new(&table::NO_AUTHORIZATION_SERVER, ""),
            Some(url.to_string()),
        ),
        E::NoneAllowed { url, listed } => {
            let all: Vec<_> = listed.iter().map(|it| clean(it.as_str())).collect();
            (
                Judged::new(&table::SERVER_NOT_ALLOWED, all.join(", ")),
                Some(url.to_string()),
            )
        }
        E::HeaderNotAccepted { url } => (
            Judged::new(&table::HEADER_NOT_ACCEPTED, ""),
            Some(url.to_string()),
        ),
        other => (
            Judged::new(&table::RESOURCE_METADATA_UNREACHABLE, told(other)),
            None,
        ),
    }
}

fn of_failure(leg: Leg, failure: &Failure) -> Judged {
    let of_resource = leg == Leg::ResourceMetadata;
    let choose = |resource, server| if of_resource { resource } else { server };
    match failure {
        Failure::Status { status, .. } => {
            let fault = match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => choose(
                    &table::RESOURCE_METADATA_FORBIDDEN,
                    &table::ISSUER_FORBIDDEN,
                ),
                status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    choose(&table::RESOURCE_METADATA_ERROR, &table::ISSUER_ERROR)
                }
                _ => choose(
                    &table::RESOURCE_METADATA_MISSING,
                    &table::ISSUER_METADATA_MISSING,
                ),
            };
            Judged::new(fault, failure.to_string())
        }
        Failure::Document(error) => of_document(leg, error),
        Failure::Http(error) => {
            let fault = of_trouble(error.trouble()).unwrap_or_else(|| match error.trouble() {
                Trouble::TooLarge => &first::ANSWER_TOO_LARGE,
                _ => choose(
                    &table::RESOURCE_METADATA_UNREACHABLE,
                    &table::ISSUER_UNREACHABLE,
                ),
            });
            let why = match error.refused_address() {
                Some(refused) if fault.id == net::ADDRESS_REFUSED.id => refused.to_string(),
                _ => super::way::reason(error),
            };
            Judged::new(fault, why)
        }
        other => Judged::new(
            choose(
                &table::RESOURCE_METADATA_INVALID,
                &table::ISSUER_METADATA_INVALID,
            ),
            other.to_string(),
        ),
    }
}

fn of_document(leg: Leg, error: &DocumentError) -> Judged {
    let of_resource = leg == Leg::ResourceMetadata;
    let choose = |resource: &'static Fault, server: &'static Fault| match of_resource {
        true => resource,
        false => server,
    };
    let fault = match error {
        DocumentError::NotJsonObject {
            kind: doorkey_discovery::BodyKind::Markup,
            ..
        } => choose(&table::RESOURCE_METADATA_PAGE, &table::ISSUER_METADATA_PAGE),
        DocumentError::NotJsonObject { .. } => choose(
            &table::RESOURCE_METADATA_UNREADABLE,
            &table::ISSUER_METADATA_UNREADABLE,
        ),
        DocumentError::Missing { member: "resource" }
        | DocumentError::WrongType {
            member: "resource", ..
        } => &table::RESOURCE_MISSING,
        DocumentError::Url { .. } if !of_resource => &table::ENDPOINT_INSECURE,
        DocumentError::TooLong => &first::ANSWER_TOO_LARGE,
        _ => choose(
            &table::RESOURCE_METADATA_INVALID,
            &table::ISSUER_METADATA_INVALID,
        ),
    };
    Judged::new(fault, told(error))
}

//! What is known of the servers as odd, and which finding it explains.

use doorkey_discovery::Discovered;
use doorkey_oauth::{Effect, Quirk};

use super::diagnosis::Finding;
use super::engine::{Doctor, Patient};
use super::fault::Fault;
use super::table::{discovery, server, session, token};

impl Doctor<'_> {
    /// The quirks of the servers, whether they are heeded or not.
    pub(super) async fn quirks(&mut self, patient: &Patient, found: Option<&Discovered>) {
        let issuer = match (found, self.notes.listed.clone()) {
            (Some(found), _) => Some(found.server.listed.as_str().to_owned()),
            (None, Some(listed)) => Some(listed),
            (None, None) => {
                let stored = patient.tokens().grant().await.ok().flatten();
                stored.map(|stored| stored.value.issuer)
            }
        };
        let known = self.host.quirks_at(&patient.server, issuer.as_deref());
        self.notes.diagnosis.quirks = known.into_iter().map(Into::into).collect();
        self.notes.listed = issuer;
        let methods = found.map(|found| &found.server.code_challenge_methods_supported);
        self.notes.names_pkce_methods = methods.is_some_and(Option::is_some);
    }

    /// Names with each finding the quirk that it comes of: one that makes up for it, used or switched off, or one that
    /// knows the words of the server.
    pub(super) fn link_quirks(&mut self, patient: &Patient) {
        let rules = self.host.config().quirk_rules().all();
        let known_here = &self.notes.diagnosis.quirks;
        let known: Vec<_> = known_here
            .iter()
            .filter_map(|known| rules.iter().find(|rule| rule.quirk.id == known.id))
            .map(|rule| &rule.quirk)
            .collect();
        let explaining = &patient.server.quirks.used;
        let issuer = self.notes.listed.as_deref();
        let names_methods = self.notes.names_pkce_methods;
        let makes_up = |effect: &Effect| !(names_methods && *effect == Effect::AssumePkce);
        for finding in &mut self.notes.diagnosis.findings {
            if finding.quirk.is_some() {
                continue;
            }
            let by_effect = known.iter().copied().find(|quirk| {
                let mut effects = quirk.effects.iter();
                effects.any(|it| is_about(it, finding) && makes_up(it))
            });
            let said = finding.evidence.as_ref().and_then(|it| it.excerpt.clone());
            let said = format!("{}\n{}", finding.means, said.unwrap_or_default());
            let is_unheeded = |quirk: &&Quirk| {
                let mut known = known_here.iter();
                known.any(|known| known.id == quirk.id && known.state != "on")
            };
            if by_effect.filter(is_unheeded).is_some_and(omits_resource)
                && finding.id == session::TOKEN_REJECTED.id
            {
                let name = toml_edit::Key::new(&patient.server.name);
                let setting = format!("[mcp_servers.{name}]\noauth_resource = \"omit\"");
                finding.mend.config = Some(setting);
            }
            finding.quirk = match by_effect {
                Some(quirk) => Some(quirk.id.clone()),
                None => explaining
                    .explain_text(&patient.server.url, issuer, &said)
                    .map(|(quirk, _)| quirk.id.clone()),
            };
        }
    }
}

/// Whether its tokens are for somebody else unless no resource is named.
fn omits_resource(quirk: &Quirk) -> bool {
    quirk.effects.contains(&Effect::OmitResource)
}

/// Whether an oddity that an effect makes up for shows as that finding.
fn is_about(effect: &Effect, finding: &Finding) -> bool {
    let shows: &[&Fault] = match effect {
        Effect::TrustIssuer { .. } => &[&discovery::ISSUER_MISMATCH],
        Effect::AssumePkce => &[&server::NO_PKCE],
        Effect::NeedsClient | Effect::NoMetadataDocument | Effect::Redirect(_) => {
            &[&server::NO_REGISTRATION]
        }
        Effect::AuthorizationServer(_) => &[
            &discovery::NO_AUTHORIZATION_SERVER,
            &discovery::RESOURCE_METADATA_MISSING,
            &discovery::ISSUER_METADATA_MISSING,
        ],
        Effect::Endpoints { .. } => &[
            &discovery::RESOURCE_METADATA_MISSING,
            &discovery::ISSUER_METADATA_MISSING,
        ],
        Effect::NeedsScopes | Effect::DropScope(_) | Effect::ScopeParameter(_) => {
            &[&token::REFRESH_REQUEST_REFUSED, &session::SCOPE_MISSING]
        }
        Effect::OmitResource | Effect::AudienceIsResource => {
            &[&token::REFRESH_REQUEST_REFUSED, &session::TOKEN_REJECTED]
        }
        Effect::RepeatScopes => &[&token::REFRESH_REQUEST_REFUSED, &token::ENTRA_SCOPE],
        Effect::IdTokenAsBearer => &[&session::TOKEN_REJECTED],
        Effect::OfflineParameter { .. } => &[&token::TOKEN_EXPIRED],
        Effect::FormAnswer
        | Effect::NestedTokens(_)
        | Effect::BearerName(_)
        | Effect::CommaScopes => &[&token::REFRESH_UNREADABLE],
        _ => &[],
    };
    shows.iter().any(|fault| fault.id == finding.id)
}

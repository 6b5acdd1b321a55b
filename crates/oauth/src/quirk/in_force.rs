//! The quirks that hold for one login or refresh, asked where each makes a difference.

use doorkey_discovery::{
    AuthorizationServerMetadata, ConfiguredServer, DiscoveryOptions, Issuer, Scopes, legacy_base,
};
use url::Url;

use super::{Effect, Quirk, RedirectRule, ScopeParameter};
use crate::config::AuthorizationConfig;
use crate::config::RESERVED_PARAMETERS;
use crate::events::tell;
use crate::exchange::Exchanged;
use crate::token_response::Shape;

/// The quirks of one MCP server and its authorization server.
#[derive(Clone, Debug)]
pub(crate) struct InForce<'a> {
    config: &'a AuthorizationConfig,
    quirks: Vec<&'a Quirk>,
    issuer: &'a str,
}

impl<'a> InForce<'a> {
    pub(crate) fn new(config: &'a AuthorizationConfig, issuer: &'a str) -> Self {
        let quirks = config.quirks.at(&config.server, Some(issuer));
        Self {
            config,
            quirks: quirks.collect(),
            issuer,
        }
    }

    /// Whether no leg has a `resource`.
    pub(crate) fn omits_resource(&self) -> bool {
        self.has(&Effect::OmitResource)
    }

    /// The same where a grant is only judged, which is no use of a quirk.
    pub(crate) fn may_omit_resource(&self) -> bool {
        let omitted = |effect: &Effect| (*effect == Effect::OmitResource).then_some(());
        self.find(omitted).is_some()
    }

    /// Whether a refresh repeats the scopes that were asked for.
    pub(crate) fn repeats_scopes(&self) -> bool {
        self.has(&Effect::RepeatScopes)
    }

    /// Whether a document that is silent about PKCE is good enough.
    pub(crate) fn assumes_pkce(&self) -> bool {
        self.has(&Effect::AssumePkce)
    }

    /// Whether metadata documents of clients are of no use.
    pub(crate) fn refuses_documents(&self) -> bool {
        self.has(&Effect::NoMetadataDocument)
    }

    /// Why it is of no use to register, in the words of the quirk.
    pub(crate) fn needs_client(&self) -> Option<&'a str> {
        self.first(|effect| (*effect == Effect::NeedsClient).then_some(()))
            .map(|(quirk, ())| quirk.what.as_str())
    }

    /// Why a scope has to be asked for, in the words of the quirk.
    pub(crate) fn needs_scopes(&self, scopes: &Scopes) -> Option<&'a str> {
        if !crate::scope::without_offline_access(scopes).is_empty() {
            return None;
        }
        self.first(|effect| (*effect == Effect::NeedsScopes).then_some(()))
            .map(|(quirk, ())| quirk.what.as_str())
    }

    /// What of the redirect URI is fixed.
    pub(crate) fn redirect(&self) -> Option<&'a RedirectRule> {
        let rule = self.first(|effect| match effect {
            Effect::Redirect(rule) => Some(rule),
            _ => None,
        });
        rule.map(|(_, rule)| rule)
    }

    /// How scopes are sent.
    pub(crate) fn scope_parameter(&self) -> Option<&'a ScopeParameter> {
        let parameter = self.first(|effect| match effect {
            Effect::ScopeParameter(parameter)
                if !RESERVED_PARAMETERS.contains(&parameter.name.as_str())
                    || parameter.name == "scope" =>
            {
                Some(parameter)
            }
            _ => None,
        });
        parameter.map(|(_, parameter)| parameter)
    }

    /// Takes the scopes away that nobody may be asked for, but for those that the host asks for itself, and adds the
    /// one that an identity token comes with.
    pub(crate) fn adjust(&self, mut scopes: Scopes, configured: &Scopes) -> Scopes {
        for quirk in &self.quirks {
            for effect in &quirk.effects {
                let adjusted = match effect {
                    Effect::DropScope(scope) if !configured.contains(scope) => {
                        scopes.difference(&Scopes::parse(scope))
                    }
                    Effect::IdTokenAsBearer => scopes.union(&Scopes::parse(OPENID)),
                    _ => continue,
                };
                if adjusted != scopes {
                    self.note(quirk);
                    scopes = adjusted;
                }
            }
        }
        scopes
    }

    /// The parameters to add to an authorization request that has `set` already.
    pub(crate) fn authorize_parameters(
        &self,
        set: &[(String, String)],
        resource: Option<&str>,
        offline: bool,
    ) -> Vec<(String, String)> {
        let is_ours = |name: &str| name != "prompt" && RESERVED_PARAMETERS.contains(&name);
        let mut added = self.parameters(set, |effect| match effect {
            Effect::AuthorizeParameter { name, value } => Some((name.clone(), value.clone())),
            Effect::OfflineParameter { name, value } if offline => {
                Some((name.clone(), value.clone()))
            }
            Effect::AudienceIsResource => audience(resource),
            _ => None,
        });
        added.retain(|(name, _)| !is_ours(name));
        added
    }

    /// The parameters to add to the exchange of a code, or to a refresh.
    pub(crate) fn token_parameters(&self, resource: Option<&str>) -> Vec<(String, String)> {
        self.parameters(&[], |effect| match effect {
            Effect::TokenParameter { name, value } => Some((name.clone(), value.clone())),
            Effect::AudienceIsResource => audience(resource),
            _ => None,
        })
    }

    /// The parameters to add to the start of a device authorization.
    pub(crate) fn device_parameters(&self, resource: Option<&str>) -> Vec<(String, String)> {
        self.parameters(&[], |effect| match effect {
            Effect::AudienceIsResource => audience(resource),
            _ => None,
        })
    }

    /// What is odd about a token answer. An oddity that does not occur is no use of the quirk, so nothing is noted
    /// here.
    pub(crate) fn shape(&self) -> Shape {
        let mut shape = Shape::default();
        for effect in self.quirks.iter().flat_map(|quirk| &quirk.effects) {
            match effect {
                Effect::FormAnswer => shape.is_form = true,
                Effect::NestedTokens(member) => shape.member = Some(member.clone()),
                Effect::BearerName(name) => shape.bearer = Some(name.clone()),
                Effect::CommaScopes => shape.has_commas = true,
                Effect::IdTokenAsBearer => shape.presents_id_token = true,
                _ => {}
            }
        }
        if shape != Shape::default() {
            let odd = |effect: &Effect| is_about_answers(effect).then_some(());
            shape.quirk = self.find(odd).map(|(quirk, ())| quirk.id.clone());
        }
        shape
    }

    /// Notes that the issuer of a document was taken because a quirk names the pair.
    pub(crate) fn note_trust(&self, server: &AuthorizationServerMetadata) {
        self.first(|effect| match effect {
            Effect::TrustIssuer { listed, published }
                if *listed == server.listed && *published == server.issuer =>
            {
                Some(())
            }
            _ => None,
        });
    }

    fn parameters(
        &self,
        set: &[(String, String)],
        wanted: impl Fn(&Effect) -> Option<(String, String)>,
    ) -> Vec<(String, String)> {
        let mut added: Vec<(String, String)> = Vec::new();
        for quirk in &self.quirks {
            for parameter in quirk.effects.iter().filter_map(&wanted) {
                let mut known = set.iter().chain(&added);
                if !known.any(|(name, _)| *name == parameter.0) {
                    self.note(quirk);
                    added.push(parameter);
                }
            }
        }
        added
    }

    fn has(&self, wanted: &Effect) -> bool {
        self.first(|effect| (effect == wanted).then_some(()))
            .is_some()
    }

    /// The first effect of that kind, which is noted as used.
    fn first<T>(&self, wanted: impl Fn(&'a Effect) -> Option<T>) -> Option<(&'a Quirk, T)> {
        let found = self.find(wanted)?;
        self.note(found.0);
        Some(found)
    }

    fn find<T>(&self, wanted: impl Fn(&'a Effect) -> Option<T>) -> Option<(&'a Quirk, T)> {
        self.quirks
            .iter()
            .find_map(|quirk| Some((*quirk, quirk.effects.iter().find_map(&wanted)?)))
    }

    fn note(&self, quirk: &Quirk) {
        tell::quirk_used(self.config, self.issuer, &quirk.id);
    }

    /// Notes that a token answer had to be read otherwise.
    pub(crate) fn note_shape(&self, shape: &Shape, exchanged: &Exchanged) {
        if let Some(quirk) = shape.quirk.as_ref().filter(|_| exchanged.tokens.is_odd) {
            tell::quirk_used(self.config, self.issuer, quirk);
        }
    }
}

/// Adds to the options of discovery what quirks know of the authorization server of `server`.
pub(crate) fn discover_with(config: &AuthorizationConfig, options: &mut DiscoveryOptions) {
    let (quirks, server) = (&config.quirks, &config.server);
    for quirk in quirks.iter() {
        for effect in &quirk.effects {
            if let Effect::TrustIssuer { listed, published } = effect
                && quirk.reason(server, Some(listed.as_str())).is_some()
            {
                let pair = (listed.clone(), published.clone());
                options.trusted_pairs.push(pair);
            }
        }
    }
    if options.authorization_server.is_some() {
        return;
    }
    let named = quirks.at(server, None).find_map(|quirk| {
        let named = quirk
            .effects
            .iter()
            .find_map(|effect| named(effect, server));
        Some((quirk, named?))
    });
    if let Some((quirk, named)) = named {
        let issuer = match &named {
            ConfiguredServer::Metadata(metadata) => metadata.listed.as_str(),
            ConfiguredServer::Issuer(issuer) => issuer.as_str(),
            _ => "",
        };
        tell::quirk_used(config, issuer, &quirk.id);
        options.authorization_server = Some(named);
    }
}

fn named(effect: &Effect, server: &Url) -> Option<ConfiguredServer> {
    match effect {
        Effect::AuthorizationServer(issuer) => Some(ConfiguredServer::Issuer(issuer.clone())),
        Effect::Endpoints {
            issuer,
            authorization,
            token,
        } => {
            let base = legacy_base(server);
            let at = |path: &str| Url::parse(&format!("{base}{path}")).ok();
            let mut metadata =
                AuthorizationServerMetadata::new(Issuer::new(format!("{base}{issuer}")));
            metadata.authorization_endpoint = Some(at(authorization)?);
            metadata.token_endpoint = Some(at(token)?);
            // Nothing says so, and it is sent in any case.
            metadata.code_challenge_methods_supported = Some(vec!["S256".to_owned()]);
            Some(ConfiguredServer::Metadata(Box::new(metadata)))
        }
        _ => None,
    }
}

fn audience(resource: Option<&str>) -> Option<(String, String)> {
    Some(("audience".to_owned(), resource?.to_owned()))
}

fn is_about_answers(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::FormAnswer
            | Effect::NestedTokens(_)
            | Effect::BearerName(_)
            | Effect::CommaScopes
            | Effect::IdTokenAsBearer
    )
}

/// The scope that an identity token comes with (OpenID Connect Core §3.1.2.1).
const OPENID: &str = "openid";

//! Values that hold secrets, as `Debug` shows them.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use doorkey::{Host, LoginStep, Progress};
use doorkey_http::{Body, ClientIdentity, HttpProfile, ProxyUrl, SentSecrets};
use doorkey_oauth::{
    AssertionError, AuthorizationConfig, BoxFuture, Callback, Channel, ClientChoice, DevicePrompt,
    EnterpriseManaged, Flow, Interaction, InteractionError, InteractionRequest, Issuer, Prompt,
    SigningKey, TokenSource,
};
use doorkey_store::{Grant, GrantKey, Registration, RegistrationKind, Store};
use doorkey_testkit::SigningAlgorithm;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use secrecy::{SecretSlice, SecretString};

use super::{
    evidence::{Evidence, Place, leaks},
    secrets::{Kind, Secret},
};

/// Both forms of `Debug`.
pub(crate) fn debug(name: &str, value: &dyn Debug) -> Evidence {
    Evidence::new(Place::Text, name, format!("{value:?}\n{value:#?}"))
}

/// A host that has signed in to `server`, with everything in it that holds a secret.
pub(crate) async fn of_host(host: &Host, server: &str) -> Vec<Evidence> {
    let session = host.session(server).expect("a session");
    let store = host.store();
    let token = session.tokens.token().await.expect("a token");
    let grant = session.tokens.grant().await.expect("a grant");
    vec![
        debug("the host", host),
        debug("the environment", host.environment()),
        debug("the configuration", host.config()),
        debug("the session", &session),
        debug("the profile", &session.http.profile()),
        debug("the client", &session.http),
        debug("the token source", &session.tokens),
        debug("the settings of the token source", &session.tokens.config()),
        debug("the token", &token),
        debug(
            "its header",
            &token.and_then(|token| token.header_value().ok()),
        ),
        debug("the grant", &grant),
        debug("the store", store),
        debug("the stored grants", &store.grants().await),
        debug("the registrations", &store.registrations().await),
        debug("the statuses", &host.list().await),
    ]
}

#[tokio::test]
async fn no_value_that_is_made_of_a_secret_shows_it() {
    let secret = || SecretString::from(SECRET);
    let url: url::Url = "https://mcp.test/mcp".parse().expect("a URL");
    let mut config = AuthorizationConfig::new(url.clone());
    config.client = ClientChoice::Static {
        client_id: "client".to_owned(),
        client_secret: Some(secret()),
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let mut grant = Grant::new("https://as.test", "client", "https://as.test/token");
    grant.access_token = Some(secret());
    grant.refresh_token = Some(secret());
    grant.client_secret = Some(secret());
    grant.dpop_key = Some(secret());
    grant.id_token = Some(secret());
    let extra = ("id_token".to_owned(), SECRET.into());
    grant.extra.extend([extra.clone()]);
    let mut registration = Registration::new("client", RegistrationKind::Dynamic);
    registration.client_secret = Some(secret());
    registration.registration_access_token = Some(secret());
    registration.extra.extend([extra]);
    let store = Store::memory();
    let key = GrantKey::new("https://mcp.test/mcp", "default");
    store.save_grant(&key, &grant, None).await.expect("a store");
    let proxy: ProxyUrl = format!("http://person:{SECRET}@proxy.test:3128")
        .parse()
        .expect("a proxy");
    let callback = Callback::new(format!("code={SECRET}&state={SECRET}"));
    let evidence = [
        debug("settings", &config),
        debug("grant", &grant),
        debug("registration", &registration),
        debug("memory store", &store),
        debug("listing", &store.grants().await),
        debug("proxy", &proxy),
        debug("callback", &callback),
        debug("fixed", &TokenSource::fixed(url.clone(), secret())),
        debug("token", &TokenSource::fixed(url, secret()).token().await),
        debug("profile", &profile()),
        debug("body", &Body::from(SECRET)),
        debug("request", &Request::new(Body::from(SECRET))),
        debug("sent", &SentSecrets::default().and(&secret())),
        debug("flow", &Flow::EnterpriseManaged(Arc::new(enterprise()))),
        debug("source that fails", &AssertionError::new("it is empty")),
        debug("key that is none", &bad_identity()),
        debug("key that signs nothing", &SigningKey::parse(&secret())),
        debug("proxy that is none", &bad_proxy()),
    ];
    let secrets = [Secret::new(Kind::Bearer, SECRET)];
    let leaks = leaks(&secrets, &evidence);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    let control = debug("control", &Some(SECRET));
    assert_eq!(super::evidence::leaks(&secrets, &[control]).len(), 1);
}

#[test]
fn no_value_that_is_made_of_a_key_shows_it() {
    let pair = doorkey_testkit::SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let pem = SecretString::from(pair.pem());
    let key = || SigningKey::parse(&pem).expect("a key");
    let mut config = AuthorizationConfig::new("https://mcp.test/mcp".parse().expect("a URL"));
    config.client = ClientChoice::Static {
        client_id: "client".to_owned(),
        client_secret: None,
        signing_key: Some(key()),
        issuer: None,
        auth_method: None,
    };
    let mut provider = enterprise();
    provider.client.signing_key = Some(key());
    let mut grant = Grant::new("https://as.test", "client", "https://as.test/token");
    grant.dpop_key = Some(pem.clone());
    let evidence = [
        debug("the key", &key()),
        debug("its public half", &key().public_key()),
        debug("under another name", &key().with_id("another")),
        debug("settings", &config),
        debug("identity provider", &provider),
        debug("grant", &grant),
    ];
    let secrets = [Secret::of_key(Kind::SigningKey, pair.pem())];
    let leaks = leaks(&secrets, &evidence);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// An identity provider whose client has a secret.
fn enterprise() -> EnterpriseManaged {
    let issuer = Issuer::new("https://idp.test");
    let mut enterprise = EnterpriseManaged::new(issuer, "client");
    enterprise.client.client_secret = Some(SecretString::from(SECRET));
    enterprise
}

fn profile() -> HttpProfile {
    let headers = || {
        HeaderMap::from_iter([(
            HeaderName::from_static("x-api-key"),
            HeaderValue::from_static(SECRET),
        )])
    };
    let mut profile = HttpProfile::new("https://mcp.test/mcp".parse().expect("a URL"));
    profile.resource_headers = headers();
    profile.default_headers = headers();
    let origin = "https://gateway.test".parse().expect("an origin");
    profile.origin_headers = vec![(origin, headers())];
    profile
}

fn bad_identity() -> String {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n");
    let key = SecretSlice::from(key.into_bytes());
    let error = ClientIdentity::from_pem(SECRET.as_bytes(), &key).expect_err("no key");
    format!("{error} {error:?}")
}

fn bad_proxy() -> String {
    let parsed = format!("http://person:{SECRET}@proxy test:x").parse::<ProxyUrl>();
    let error = parsed.expect_err("no proxy");
    format!("{error} {error:?}")
}

/// Whoever reaches the person, with everything that passes by written down as `Debug` shows it.
#[derive(Debug)]
pub(crate) struct Overheard {
    person: Arc<dyn Interaction>,
    heard: Arc<Mutex<Vec<String>>>,
}

struct Passing {
    channel: Box<dyn Channel>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Overheard {
    pub(crate) fn new(person: Arc<dyn Interaction>) -> Self {
        Self {
            person,
            heard: Arc::default(),
        }
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Evidence::new(Place::Text, "the way to a person", heard.join("\n"))
    }
}

impl Interaction for Overheard {
    fn shows_codes(&self) -> Result<(), InteractionError> {
        self.person.shows_codes()
    }

    fn present_code<'a>(
        &'a self,
        prompt: &'a DevicePrompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        hear(&self.heard, prompt);
        self.person.present_code(prompt)
    }

    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async move {
            hear(&self.heard, &request);
            let channel = self.person.open(request).await?;
            let heard = Arc::clone(&self.heard);
            Ok(Box::new(Passing { channel, heard }) as Box<dyn Channel>)
        })
    }
}

impl Channel for Passing {
    fn redirect_uri(&self) -> &str {
        self.channel.redirect_uri()
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        hear(&self.heard, prompt);
        self.channel.present(prompt)
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            let callback = self.channel.next().await;
            hear(&self.heard, &callback);
            callback
        })
    }
}

/// The steps of a login, as `Debug` shows them.
#[derive(Debug, Default)]
pub(crate) struct Steps(Mutex<Vec<String>>);

impl Steps {
    pub(crate) fn evidence(&self) -> Evidence {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Evidence::new(Place::Text, "the steps of a login", steps.join("\n"))
    }
}

impl Progress for Steps {
    fn report(&self, step: &LoginStep) {
        hear(&self.0, step);
    }
}

fn hear(heard: &Mutex<Vec<String>>, said: &dyn Debug) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    heard.push(format!("{said:?}"));
}

const SECRET: &str = "a-secret-in-a-value-5Yt9Kq2Zw7Lm4Xb";

//! The walk in which all servers are near, and the MCP server was public at the login.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use doorkey::{Browser, LoopbackInteraction, PlatformBrowser, Silent};
use doorkey_http::{
    AddressClass, AddressPolicy, HttpClient, HttpProfile, Network, Origin, Resolver,
};
use doorkey_oauth::{AuthorizationConfig, BoxFuture, Challenges, TokenSource};
use doorkey_store::Store;
use doorkey_testkit::Document;
use serde_json::json;
use tokio::runtime::Handle;

use super::{
    Leg,
    drive::{Failure, Rig},
    servers::Servers,
    spoilt::{self, Clients},
};

/// For each leg whether the rule keeps it from a near server, and the network that the user allows opens it again. If not
/// `configured`, the MCP server is as near as all the others.
pub(super) async fn walk(configured: bool) -> Vec<(Leg, bool)> {
    let class = configured.then_some(AddressClass::Public);
    let kept = AddressPolicy::default().with_class(class);
    let clients = async || {
        let servers = Servers::start(Some(NEAR)).await;
        let client = |policy| client(&profile(&servers, policy));
        Clients {
            reaching: client(AddressPolicy::default()),
            spoilt: client(kept.clone()),
            servers,
        }
    };
    let (refused, opened, page) = tokio::join!(
        spoilt::walk(clients, |failure| failure.is_address),
        reached(class),
        page(class),
    );
    let mut walk: Vec<_> = refused
        .into_iter()
        .map(|(leg, refused)| (leg, refused && opened.contains(&leg)))
        .collect();
    walk.push((Leg::AuthorizationPage, page));
    walk
}

/// The legs that arrive where the network of all servers is allowed.
async fn reached(class: Option<AddressClass>) -> Vec<Leg> {
    let servers = Servers::start(Some(NEAR)).await;
    let policy = AddressPolicy::default()
        .with_class(class)
        .with_networks([everywhere()]);
    let http = client(&profile(&servers, policy));
    let rig = Rig::new(servers.world, servers.provider, http);
    for leg in Leg::sent() {
        rig.prepare(leg).await;
        let failure: Option<Failure> = rig.failure(leg).await;
        assert!(failure.is_none_or(|it| !it.is_address), "{leg} was refused");
    }
    let requests = rig.world.recorder.requests();
    requests.iter().filter_map(Leg::of).collect()
}

/// Whether no opener gets a page that is near, and one does where that is allowed.
async fn page(class: Option<AddressClass>) -> bool {
    let kept = AddressPolicy::default().with_class(class);
    let open = kept.clone().with_networks([everywhere()]);
    let (refused, opened) = tokio::join!(open_page(kept), open_page(open));
    refused == Page::Refused && opened == Page::Opened
}

#[derive(Debug, PartialEq, Eq)]
enum Page {
    /// The login failed by the rule, and no opener was called.
    Refused,
    /// The opener got the page, and the login came to its end.
    Opened,
}

/// A login where every server may be near but for the one that has the authorization page.
async fn open_page(mut policy: AddressPolicy) -> Page {
    let servers = Servers::start(Some(NEAR)).await;
    let world = &servers.world;
    let allowed = [world.mcp.origin(), world.auth.url()];
    policy.allow = allowed
        .map(|origin| origin.parse::<Origin>().expect("an origin"))
        .into();
    let page = format!("https://page{NEAR}:{}/authorize", world.auth.addr().port());
    let field = json!(page);
    world
        .auth
        .set_field(Document::Metadata, "authorization_endpoint", field);

    let opened = Arc::new(Mutex::new(Vec::<String>::new()));
    let noted = Arc::clone(&opened);
    let browser = doorkey_testkit::Browser::new().trusting(&world.ca);
    let runtime = Handle::current();
    let opener = PlatformBrowser::new(move |url| {
        let mut opened = noted.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(url.to_owned());
        // The browser of the test knows no names.
        let url = url.replace(&format!("page{NEAR}"), "127.0.0.1");
        let browser = browser.clone();
        runtime.spawn(async move { browser.open(&url).await.map(drop) });
        Ok(())
    });
    let person = LoopbackInteraction::new(Browser::Platform(opener), Arc::new(Silent));
    let config = AuthorizationConfig::new(world.url());
    let http = client(&profile(&servers, policy));
    let tokens = TokenSource::builder(config, http, Store::memory()).build();
    let login = tokens.login(&Challenges::default(), Arc::new(person)).await;
    let opened = opened
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match login {
        Ok(_) => {
            assert!(
                opened.len() == 1 && opened[0].starts_with(&page),
                "{opened:?}"
            );
            Page::Opened
        }
        Err(error) => {
            let failure = Failure::of(&error);
            assert!(
                failure.is_address && opened.is_empty(),
                "{failure:?} {opened:?}"
            );
            Page::Refused
        }
    }
}

fn profile(servers: &Servers, policy: AddressPolicy) -> HttpProfile {
    let mut profile = servers.world.profile();
    profile.addresses = policy;
    profile
}

fn client(profile: &HttpProfile) -> HttpClient {
    HttpClient::with_resolver(profile, Arc::new(Nearby)).expect("a client")
}

fn everywhere() -> Network {
    "127.0.0.0/8".parse().expect("a network")
}

/// Every name of a walk is this machine.
#[derive(Debug)]
struct Nearby;

impl Resolver for Nearby {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = match host.ends_with(NEAR) {
            true => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            false => Err(io::ErrorKind::NotFound.into()),
        };
        Box::pin(std::future::ready(found))
    }
}

/// The end of names that are for tests (RFC 6761 §6.2).
const NEAR: &str = ".test";

//! The walk in which all servers are near, and the MCP server was public at the login.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use doorkey::{Browser, LoopbackInteraction, PlatformBrowser, Silent};
use doorkey_http::{AddressClass, AddressPolicy, HttpClient, Network, Origin, Resolver};
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
    let names = Names { configured };
    let class = match configured {
        true => AddressClass::Public,
        false => AddressClass::Loopback,
    };
    let kept = AddressPolicy::default().with_class(Some(class));
    let clients = async || {
        let servers = Servers::start(Some(NEAR)).await;
        let client = |policy| names.client(&servers, policy);
        Clients {
            reaching: client(allowing_all()),
            spoilt: client(kept.clone()),
            servers,
        }
    };
    let (refused, opened, page) = tokio::join!(
        spoilt::walk(clients, |failure| failure.is_address),
        reached(names),
        page(names),
    );
    let mut walk: Vec<_> = refused
        .into_iter()
        .map(|(leg, refused)| (leg, refused && opened.contains(&leg)))
        .collect();
    walk.push((Leg::AuthorizationPage, page));
    walk
}

/// The legs that arrive where the network of all servers is allowed.
async fn reached(names: Names) -> Vec<Leg> {
    let servers = Servers::start(Some(NEAR)).await;
    let http = names.client(&servers, allowing_all());
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
async fn page(names: Names) -> bool {
    let (refused, opened) = tokio::join!(
        open_page(names, AddressPolicy::default()),
        open_page(names, allowing_all()),
    );
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
async fn open_page(names: Names, mut policy: AddressPolicy) -> Page {
    let servers = Servers::start(Some(NEAR)).await;
    let world = &servers.world;
    // Nothing is learned of a server that is reached on the user's word, so that it counts as public.
    let own = names.configured.then(|| world.mcp.origin());
    let allowed = own.into_iter().chain([world.auth.url()]);
    policy.allow = allowed
        .map(|origin| origin.parse::<Origin>().expect("an origin"))
        .collect();
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
    let http = names.client(&servers, policy);
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

/// The network of all servers is allowed.
fn allowing_all() -> AddressPolicy {
    let here: Network = "127.0.0.0/8".parse().expect("a network");
    AddressPolicy::default().with_networks([here])
}

/// Every name of a walk is this machine. If `configured`, that of the MCP server is another one as well, so that it counts as
/// public and can be reached all the same.
#[derive(Clone, Copy, Debug)]
struct Names {
    configured: bool,
}

impl Names {
    fn client(self, servers: &Servers, policy: AddressPolicy) -> HttpClient {
        let mut profile = servers.world.profile();
        profile.addresses = policy;
        HttpClient::with_resolver(&profile, Arc::new(self)).expect("a client")
    }
}

impl Resolver for Names {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut found: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
        if self.configured && host == format!("mcp{NEAR}") {
            // For documentation (RFC 5737): nobody is there.
            found.push(Ipv4Addr::new(203, 0, 113, 1).into());
        }
        Box::pin(std::future::ready(match host.ends_with(NEAR) {
            true => Ok(found),
            false => Err(io::ErrorKind::NotFound.into()),
        }))
    }
}

/// The end of names that are for tests (RFC 6761 §6.2).
const NEAR: &str = ".test";

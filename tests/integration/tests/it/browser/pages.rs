//! A login of the program, with a real browser all the way: what the person reads at each end that it can have.

use std::{collections::BTreeSet, sync::Arc};

use doorkey::{Browser, LoopbackInteraction, Silent};
use doorkey_oauth::{Interaction as _, InteractionRequest, Issuer};
use doorkey_testkit::Consent;
use fantoccini::Locator;
use integration::{Home, LIMIT, World};
use url::Url;

use super::{
    chrome::Chrome,
    desk::Login,
    page::{is_plain, look, read, shown},
};

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_of_a_login_a_browser_shows_what_happened_and_what_to_do() {
    let (world, chrome) = tokio::join!(
        World::with(|auth| auth.consent(Consent::Page), |mcp| mcp),
        Chrome::start()
    );
    let home = Home::new(&world, "");
    let mut seen = Seen::default();

    let login = Login::start(&home).await;
    foreign(&chrome, &world, &login, &mut seen).await;
    decide(&chrome, &login, "approve").await;
    seen.note("approved", &chrome, &world).await;
    seen.listeners
        .insert(login.callback(&[]).origin().ascii_serialization());
    let said = login.ended_with(0).await;
    assert!(said.contains("signed in to it"), "{said}");

    let login = Login::start(&home).await;
    decide(&chrome, &login, "deny").await;
    seen.note("denied", &chrome, &world).await;
    seen.listeners
        .insert(login.callback(&[]).origin().ascii_serialization());
    let said = login.ended_with(4).await;
    assert!(said.contains("access_denied"), "{said}");

    injected(&chrome, &world, &home, &mut seen).await;
    too_late(&chrome, &world, &mut seen).await;
    seen.check(&chrome, &world).await;
    insta::assert_snapshot!("pages", seen.text);
}

/// What does not belong to the login is shown as that, and the login goes on.
async fn foreign(chrome: &Chrome, world: &World, login: &Login, seen: &mut Seen) {
    let other = login.callback(&[("code", "x"), ("state", "of-another-login")]);
    read(chrome, &other, world).await;
    seen.note("another state", chrome, world).await;
    let forged = login.callback(&[("error", "access_denied")]);
    let text = read(chrome, &forged, world).await;
    assert!(text.starts_with("[Not this sign-in]"), "{text}");
    let mut elsewhere = login.callback(&[("code", "x"), ("state", &login.asked("state"))]);
    elsewhere.set_path("/callback/");
    read(chrome, &elsewhere, world).await;
    seen.note("another path", chrome, world).await;
}

/// What an authorization server says of an error is text on the page, whatever it looks like.
async fn injected(chrome: &Chrome, world: &World, home: &Home, seen: &mut Seen) {
    let login = Login::start(home).await;
    let hostile = "<script>document.title='owned'</script><img src=x onerror=\"alert(1)\">\
                   \u{202e}</blockquote><h1>Enter your password</h1>\u{1b}[2J";
    let page = login.callback(&[
        ("error", "server_error"),
        ("error_description", hostile),
        ("error_uri", "javascript:alert(1)"),
        ("state", &login.asked("state")),
        ("iss", &world.auth.issuer()),
    ]);
    read(chrome, &page, world).await;
    seen.note("markup in an error", chrome, world).await;
    seen.listeners.insert(page.origin().ascii_serialization());
    // The server says that it may go better next time.
    login.ended_with(6).await;
}

/// The login is over while the browser is on its way.
async fn too_late(chrome: &Chrome, world: &World, seen: &mut Seen) {
    let person = LoopbackInteraction::new(Browser::Manual, Arc::new(Silent));
    let request = InteractionRequest::new(world.url(), Issuer::new(world.auth.issuer()));
    let mut channel = person.open(request).await.expect("a listener");
    let page: Url = format!("{}?code=x&state=y", channel.redirect_uri())
        .parse()
        .expect("a URL");
    let client = chrome.client.clone();
    let address = page.to_string();
    let going = tokio::spawn(async move { client.goto(&address).await });
    let callback = tokio::time::timeout(LIMIT, channel.next()).await;
    drop((callback.expect("in time").expect("a callback"), channel));
    going.await.expect("a task").expect("a page");
    seen.note("after the end", chrome, world).await;
    seen.listeners.insert(page.origin().ascii_serialization());
}

/// Opens the authorization page and presses a button of it.
async fn decide(chrome: &Chrome, login: &Login, decision: &str) {
    chrome
        .client
        .goto(login.page.as_str())
        .await
        .expect("a page");
    let button = format!("button[value={decision}]");
    let button = chrome
        .client
        .find(Locator::Css(&button))
        .await
        .expect("a button");
    button.click().await.expect("a click");
}

/// What was read, and where it came from.
#[derive(Default)]
struct Seen {
    text: String,
    listeners: BTreeSet<String>,
}

impl Seen {
    /// Notes the page that is open, and looks at it.
    async fn note(&mut self, name: &str, chrome: &Chrome, world: &World) {
        let text = shown(chrome, world).await;
        self.text.push_str(&format!("== {name}\n{text}\n\n"));
        is_plain(chrome).await;
        look(chrome, &name.replace(' ', "-")).await;
    }

    /// No page of a listener gave the console anything to say, and nobody else was asked for anything.
    async fn check(&self, chrome: &Chrome, world: &World) {
        let own = |url: &Url| self.listeners.contains(&url.origin().ascii_serialization());
        let requested = chrome.requested().await;
        for url in &requested {
            let server =
                url.origin() == world.auth.issuer().parse::<Url>().expect("a URL").origin();
            assert!(server || own(url), "{url} was asked for");
        }
        for listener in &self.listeners {
            assert!(
                requested
                    .iter()
                    .any(|url| url.as_str().starts_with(listener)),
                "{requested:?}"
            );
        }
        // That the browser was told of a foreign answer by its status is all it has to say, in whichever order.
        let console = chrome.console().await;
        let of_a_listener = |message: &&str| self.listeners.iter().any(|one| message.contains(one));
        let said: BTreeSet<_> = console
            .iter()
            .map(|(_, message)| message.as_str())
            .filter(of_a_listener)
            .map(|message| message.split_once(" - ").map_or(message, |(_, said)| said))
            .collect();
        let status = "Failed to load resource: the server responded with a status of";
        let expected = ["400 (Bad Request)", "404 (Not Found)"];
        let expected = expected.map(|code| format!("{status} {code}"));
        let expected: BTreeSet<_> = expected.iter().map(String::as_str).collect();
        assert_eq!(said, expected, "{console:#?}");
    }
}

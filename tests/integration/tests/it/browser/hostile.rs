//! A hostile page in the same browser, on another origin of the same machine, while a login waits.

use std::time::Duration;

use doorkey_testkit::Consent;
use fantoccini::{Locator, wd::WindowHandle};
use integration::{Home, LIMIT, World};
use url::Url;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{
    chrome::Chrome,
    desk::Login,
    page::{look, shown},
};

/// How a page reaches another origin without its visitor leaving it. Each request carries the right `state` and an error:
/// if it counted, the login would be over.
const EMBEDDED: [&str; 10] = [
    "img", "script", "style", "iframe", "object", "fetch", "cors", "beacon", "prefetch", "post",
];
/// What a browser asks for when it has nothing else to do, so that on a busy machine it may leave it out.
const WHEN_IDLE: &str = "prefetch";
/// How it leads its visitor there. It cannot know the `state`.
const LEADING: [&str; 3] = ["window", "link", "form"];

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_origin_ends_a_login_and_the_login_succeeds_afterwards() {
    let (world, chrome) = tokio::join!(
        World::with(|auth| auth.consent(Consent::Page), |mcp| mcp),
        Chrome::start()
    );
    let home = Home::new(&world, "");
    let login = Login::start(&home).await;
    let server = MockServer::start().await;
    let site = site(&server, &login, &world).await;

    chrome.client.goto(site.as_str()).await.expect("a page");
    embed(&chrome).await;
    let requested = chrome.requested().await;
    for kind in EMBEDDED.into_iter().filter(|kind| *kind != WHEN_IDLE) {
        let sent = requested.iter().any(|url| is_from(url, kind));
        assert!(
            sent,
            "{kind} sent nothing, so nothing is proved: {requested:#?}"
        );
    }
    for kind in LEADING {
        lead(&chrome, &site, kind, &world).await;
    }

    chrome
        .client
        .goto(login.page.as_str())
        .await
        .expect("a page");
    let button = chrome
        .client
        .find(Locator::Css("button[value=approve]"))
        .await;
    button.expect("a button").click().await.expect("a click");
    let text = shown(&chrome, &world).await;
    assert!(text.starts_with("[Approved]"), "{text}");
    let said = login.ended_with(0).await;
    assert!(said.contains("signed in to it"), "{said}");
    // The frame and the object among them, once.
    assert_eq!(said.matches("inside another page").count(), 1, "{said}");
}

/// Waits until everything that the page embeds has come to its end.
async fn embed(chrome: &Chrome) {
    let ended = chrome.client.wait().at_most(LIMIT);
    let ended = ended.for_element(Locator::Css("html.ended")).await;
    let still = chrome
        .client
        .execute("return [...waiting]", Vec::new())
        .await;
    assert!(ended.is_ok(), "it still waits for {still:?}");
    let let_in = chrome.client.execute("return read", Vec::new()).await;
    let let_in = let_in.expect("a list");
    assert_eq!(let_in, serde_json::json!([]), "it could read an answer");
}

/// Presses the button that leads to the callback, and reads where that ended.
async fn lead(chrome: &Chrome, site: &Url, kind: &str, world: &World) {
    let client = &chrome.client;
    client.goto(site.as_str()).await.expect("a page");
    let own = client.window().await.expect("a window");
    let button = client.find(Locator::Id(kind)).await.expect("a button");
    button.click().await.expect("a click");
    if kind == "window" {
        let opened = opened(chrome, &own).await;
        client.switch_to_window(opened).await.expect("a window");
    }
    let text = shown(chrome, world).await;
    let title = if kind == "form" {
        "[Not in this way]"
    } else {
        "[Not this sign-in]"
    };
    assert!(text.starts_with(title), "{kind}: {text}");
    if kind == "form" {
        look(chrome, "a-form").await;
    }
    if kind == "window" {
        let opener = client
            .execute("return window.opener === null", Vec::new())
            .await;
        assert_eq!(
            opener.expect("an answer"),
            true,
            "the page has a handle to its opener"
        );
        client.close_window().await.expect("closed");
        client.switch_to_window(own).await.expect("a window");
        let lost = client.execute("return opened.closed", Vec::new()).await;
        assert_eq!(
            lost.expect("an answer"),
            true,
            "the opener has a handle to the page"
        );
    }
}

/// The window that a click opened, which takes the browser a moment.
async fn opened(chrome: &Chrome, own: &WindowHandle) -> WindowHandle {
    let waiting = async {
        loop {
            let windows = chrome.client.windows().await.expect("windows");
            match windows.into_iter().find(|window| window != own) {
                Some(opened) => return opened,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let opened = tokio::time::timeout(LIMIT, waiting).await;
    opened.expect("a window is opened")
}

fn is_from(url: &Url, kind: &str) -> bool {
    url.query_pairs()
        .any(|(key, value)| key == "from" && value == kind)
}

/// The page, under a name of this machine that is another site to the browser than the listener's address.
async fn site(server: &MockServer, login: &Login, world: &World) -> Url {
    let (state, issuer) = (login.asked("state"), world.auth.issuer());
    let right = login.callback(&[
        ("error", "access_denied"),
        ("state", &state),
        ("iss", &issuer),
    ]);
    let wrong = login.callback(&[("code", "stolen"), ("state", "guessed")]);
    let page = PAGE
        .replace("RIGHT", right.as_str())
        .replace("WRONG", wrong.as_str());
    let reply = ResponseTemplate::new(200).set_body_raw(page, "text/html; charset=utf-8");
    Mock::given(any()).respond_with(reply).mount(server).await;
    let address = server.address().port();
    format!("http://localhost:{address}/")
        .parse()
        .expect("a URL")
}

const PAGE: &str = r#"<!doctype html><title>hostile</title>
<button id="window" onclick="opened = window.open(wrong)">window</button>
<a id="link" href="WRONG" rel="opener">link</a>
<form id="post-form" method="post" target="post" action=""><input name="a" value="b"></form>
<iframe name="post"></iframe>
<form method="post" action="WRONG"><input name="code" value="x"><button id="form">form</button></form>
<script>
const wrong = "WRONG", right = kind => "RIGHT&from=" + kind, waiting = new Set(), read = [];
let opened = null;
const wait = kind => {
    waiting.add(kind);
    return () => {
        waiting.delete(kind);
        if (waiting.size === 0) document.documentElement.className = "ended";
    };
};
const embed = (kind, tag, key, more) => {
    const element = Object.assign(document.createElement(tag), more, { [key]: right(kind) });
    element.onload = element.onerror = wait(kind);
    document.body.append(element);
};
const ask = (kind, options) => {
    const ended = wait(kind);
    fetch(right(kind), options)
        .then(answer => { if (answer.type !== "opaque") read.push(kind); }, () => {})
        .finally(ended);
};
const hold = wait("all");
embed("img", "img", "src");
embed("script", "script", "src");
embed("style", "link", "href", { rel: "stylesheet" });
document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: right("prefetch") }));
embed("iframe", "iframe", "src");
embed("object", "object", "data");
ask("fetch", { mode: "no-cors" });
ask("cors", { mode: "cors" });
navigator.sendBeacon(right("beacon"), "x");
const form = document.getElementById("post-form"), frame = document.getElementsByName("post")[0];
form.action = right("post");
frame.onload = wait("post");
form.submit();
hold();
</script>
"#;

//! One page as a person sees it.

use std::path::PathBuf;

use fantoccini::Locator;
use integration::World;
use serde_json::{Value, json};
use url::Url;

use super::chrome::Chrome;

/// Opens a page and returns what is to be read on it.
pub(super) async fn read(chrome: &Chrome, page: &Url, world: &World) -> String {
    chrome.client.goto(page.as_str()).await.expect("a page");
    shown(chrome, world).await
}

/// What is to be read on the page that is open: title and text, with the same names in every run.
pub(super) async fn shown(chrome: &Chrome, world: &World) -> String {
    let main = chrome.client.wait().for_element(Locator::Css("main")).await;
    let text = main
        .expect("a page of the listener")
        .text()
        .await
        .expect("text");
    let title = chrome.client.title().await.expect("a title");
    world.anonymous(&format!("[{title}]\n{text}"))
}

/// Looks at the page that is open as a computer and a phone show it by day and by night, and leaves pictures of that.
pub(super) async fn look(chrome: &Chrome, name: &str) {
    for (device, width, height, scheme) in [
        ("computer", 1100, 700, "light"),
        ("phone", 390, 780, "dark"),
    ] {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": device == "phone",
        });
        chrome
            .devtools("Emulation.setDeviceMetricsOverride", &metrics)
            .await;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        chrome.devtools("Emulation.setEmulatedMedia", &media).await;
        let measured = chrome
            .client
            .execute(MEASURE, Vec::new())
            .await
            .expect("measures");
        let (wide, dark) = (measured["wide"].as_i64(), measured["dark"].as_bool());
        assert_eq!(wide, Some(width), "{name} is wider than a {device}");
        assert_eq!(
            dark,
            Some(scheme == "dark"),
            "{name} by {scheme}: {measured}"
        );
        picture(chrome, &format!("{name}-{device}")).await;
    }
    chrome
        .devtools("Emulation.clearDeviceMetricsOverride", &json!({}))
        .await;
    chrome
        .devtools("Emulation.setEmulatedMedia", &json!({ "features": [] }))
        .await;
}

/// Nothing runs on the page and nothing hangs on it, in the language and with the heading that a screen reader needs.
pub(super) async fn is_plain(chrome: &Chrome) {
    let found = chrome.client.execute(INVENTORY, Vec::new()).await;
    let plain = json!({
        "scripts": 0, "links": 0, "forms": 0, "embedded": 0, "handlers": 0,
        "language": "en", "headings": 1, "opener": Value::Null,
    });
    assert_eq!(found.expect("an inventory"), plain);
}

async fn picture(chrome: &Chrome, name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).expect("a folder");
    let png = chrome.client.screenshot().await.expect("a picture");
    std::fs::write(folder.join(format!("{name}.png")), png).expect("a file");
}

const MEASURE: &str = "
    return {
        wide: Math.max(document.documentElement.scrollWidth, innerWidth),
        dark: matchMedia('(prefers-color-scheme: dark)').matches,
    };";

const INVENTORY: &str = "
    const count = what => document.querySelectorAll(what).length;
    return {
        scripts: document.scripts.length,
        links: count('a, link:not([rel=icon])'),
        forms: count('form, input, button'),
        embedded: count('iframe, object, embed, img, video, audio'),
        handlers: [...document.querySelectorAll('*')]
            .filter(one => one.getAttributeNames().some(name => name.startsWith('on'))).length,
        language: document.documentElement.lang,
        headings: count('h1'),
        opener: window.opener,
    };";

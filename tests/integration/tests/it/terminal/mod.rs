//! The program at a terminal: the ways to sign in, as a person at a screen goes through them.

#![cfg(unix)]

mod browser;
mod device;
mod halves;
mod interrupted;
mod paste;
mod port;
mod qr;
mod state;
mod surroundings;

use doorkey_testkit::{Browser, Visit};
use integration::World;

/// What an SSH server sets for whoever comes from elsewhere.
const SSH: (&str, &str) = ("SSH_CONNECTION", "198.51.100.7 50022 192.0.2.9 22");

/// The address that the screen shows to be opened.
fn page(text: &str) -> String {
    let mut lines = text.lines().map(str::trim);
    let page = lines.find(|line| line.starts_with("https://"));
    page.expect("an address to open").to_owned()
}

/// Approves in a browser on another machine, which does not get back to this one.
async fn elsewhere(world: &World, page: &str) -> Visit {
    let browser = Browser::new().trusting(&world.ca).stop_before_callback();
    browser.open(page).await.expect("an answer")
}

//! The way back in a real browser: what a person reads at the end of a login, and what a hostile page cannot do.
//!
//! Needs Debian's `chromium` and `chromium-driver`. The pages are left as pictures in `target/tmp/browser`, for whoever
//! changes them to look at.

mod chrome;
mod desk;
mod hostile;
mod page;
mod pages;

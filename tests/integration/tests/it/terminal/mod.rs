//! The program at a terminal: the ways to sign in, as a person at a screen goes through them.

#![cfg(unix)]

mod browser;

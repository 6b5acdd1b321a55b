//! The stores that need a daemon, against the real one.

#![cfg(unix)]

mod daemons;

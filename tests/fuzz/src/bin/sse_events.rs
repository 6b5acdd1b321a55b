//! Fuzz target: a stream of server-sent events.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::sse_events);

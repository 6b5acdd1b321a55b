//! Fuzz target: the metadata document of an authorization server.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::authorization_server_metadata);

//! Fuzz target: `config.toml`.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::config);

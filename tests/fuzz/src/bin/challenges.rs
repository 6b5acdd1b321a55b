//! Fuzz target: the values of `WWW-Authenticate`.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::challenges);

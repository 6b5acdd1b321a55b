//! Fuzz target: the answer of a token endpoint.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::token_answer);

//! Fuzz target: the answer to a registration.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::registration_answer);

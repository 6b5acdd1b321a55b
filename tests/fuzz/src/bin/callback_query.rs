//! Fuzz target: the query of a callback.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::callback_query);

//! Fuzz target: a file of the store, plain and encrypted.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::store_file);

//! Fuzz target: a record of the store.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::store_record);

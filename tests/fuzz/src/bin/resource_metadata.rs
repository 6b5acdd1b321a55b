//! Fuzz target: the metadata document of a resource.

#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::resource_metadata);

//! The interoperability test lives in `tests/`; this library is empty.

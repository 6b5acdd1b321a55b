//! The parity test lives in `tests/`.

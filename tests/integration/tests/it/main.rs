//! What only the whole stack can prove.

mod matrix;

//! What the stack costs, beside its rivals in one run.

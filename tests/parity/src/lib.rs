//! Our rmcp adapter beside rmcp's own reqwest client.
//!
//! rmcp keeps the rules by which it reads an HTTP answer private, so `doorkey-rmcp` restates them. The test of this
//! package sends the same scripted answers through both clients and compares what each makes of them. Where they are
//! meant to differ, the difference is named with its reason; a name that no answer needs any more fails the test.
//!
//! It is a package of its own because rmcp's reqwest client is behind a feature that no crate of ours may be built with.

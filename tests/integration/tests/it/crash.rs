//! A process that is killed in the middle of a refresh: what it costs, and that nobody else is held up by it.
//!
//! The authorization server rotates refresh tokens, and ends the login of whoever uses one twice. A login may be lost only
//! where it had answered and the answer had not been saved; its own record of what it honours decides.

mod random;
mod steps;

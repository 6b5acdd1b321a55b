//! Obtains, refreshes, binds and hands out OAuth tokens for one resource, with a tower authorization layer.

mod access_token;
mod answer;
mod authorize;
mod callback;
mod client;
mod clock;
mod config;
mod error;
mod exchange;
mod form;
mod interaction;
mod layer;
mod protocol_error;
mod random;
mod registration;
mod report;
mod resource;
mod revoke;
mod scope;
mod shared;
mod sign_in;
mod source;
mod token_response;

pub use access_token::{AccessToken, TokenType};
pub use clock::{Clock, SystemClock};
pub use config::{AuthorizationConfig, ClientChoice, ResourceChoice};
pub use doorkey_discovery::{Challenges, Issuer, ResourceId, Scopes};
pub use doorkey_store::ClientAuthMethod;
pub use error::{Error, InvalidResponse, LoginReason, NextStep};
pub use interaction::{
    BoxFuture, Callback, CallbackVerdict, Channel, Deny, Interaction, InteractionError,
    InteractionRequest, Prompt,
};
pub use layer::{AuthorizationLayer, AuthorizationService};
pub use protocol_error::ProtocolError;
pub use random::{OsRandom, Random, RandomError};
pub use report::{DrainTimeout, LoginReport, LogoutOptions, LogoutReport, StepOutcome};
pub use shared::Shared;
pub use source::{TokenSource, TokenSourceBuilder};

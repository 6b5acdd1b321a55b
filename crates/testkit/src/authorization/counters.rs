//! What an authorization server counts.

/// How often each thing happened, refused requests apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests to the authorization endpoint, refused ones included.
    pub authorization_requests: usize,
    /// Codes issued.
    pub approvals: usize,
    /// Requests to the token endpoint, refused ones included.
    pub token_requests: usize,
    /// Codes exchanged for tokens.
    pub code_exchanges: usize,
    /// Refreshes that succeeded.
    pub refreshes: usize,
    /// Refresh requests, refused ones included.
    pub refresh_requests: usize,
    /// Refresh tokens that came a second time.
    pub reuses: usize,
    /// Clients registered.
    pub registrations: usize,
    /// Registrations updated by their client.
    pub registration_updates: usize,
    /// Registrations deleted by their client.
    pub deletions: usize,
    /// Revocations answered with 200.
    pub revocations: usize,
    /// Tokens issued for client credentials.
    pub client_credentials_grants: usize,
    /// Devices that were given codes.
    pub device_authorizations: usize,
    /// Token requests with a device code, refused ones included.
    pub device_polls: usize,
    /// Tokens issued to devices.
    pub device_grants: usize,
    /// Tokens issued for assertions.
    pub jwt_bearer_grants: usize,
    /// ID tokens issued.
    pub id_tokens: usize,
    /// Tokens exchanged (RFC 8693).
    pub token_exchanges: usize,
    /// Authorization requests pushed, refused ones apart.
    pub pushed_requests: usize,
    /// Client assertions accepted, at any endpoint.
    pub client_assertions: usize,
    /// DPoP proofs accepted.
    pub dpop_proofs: usize,
    /// Requests sent back for a nonce.
    pub nonce_challenges: usize,
}

//! The revocation endpoint (RFC 7009).

use http::StatusCode;

use super::{
    server::{Core, Refusal, form},
    token::unusable,
};
use crate::{
    Leg,
    reply::{self, Reply},
    request::Received,
};

impl Core {
    pub(super) fn revocation(&self, request: &Received) -> Reply {
        match self.try_revoke(request) {
            Ok(()) => {
                self.count(|c| c.revocations += 1);
                reply::empty(StatusCode::OK)
            }
            Err(refusal) => self.refuse(Leg::Revocation, &refusal),
        }
    }

    fn try_revoke(&self, request: &Received) -> Result<(), Refusal> {
        let parameters = form(request)?;
        let client = self.authenticate(request, &parameters)?;
        let missing = || Refusal::new("invalid_request", "token is missing");
        let token = parameters.first("token").ok_or_else(missing)?;
        let revoked = self.vault().revoke(token, &client.id);
        revoked.map_err(|why| unusable("token", why))
    }
}

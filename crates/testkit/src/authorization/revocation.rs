//! The revocation endpoint (RFC 7009).

use http::StatusCode;

use super::{
    server::{Core, Refusal, form},
    token::{self, unusable},
};
use crate::{
    Leg,
    reply::{self, Reply},
    request::Received,
};

pub(super) fn answer(core: &Core, request: &Received) -> Reply {
    match try_revoke(core, request) {
        Ok(()) => {
            core.count(|c| c.revocations += 1);
            reply::empty(StatusCode::OK)
        }
        Err(refusal) => core.refuse(Leg::Revocation, &refusal),
    }
}

fn try_revoke(core: &Core, request: &Received) -> Result<(), Refusal> {
    let parameters = form(request)?;
    let client = token::authenticate(core, request, &parameters)?;
    let missing = || Refusal::new("invalid_request", "token is missing");
    let token = parameters.first("token").ok_or_else(missing)?;
    let revoked = core.vault().revoke(token, &client.id);
    revoked.map_err(|why| unusable("token", why))
}

//! Tokens bound to a key: the proof that comes with a token request (RFC 9449 §5 and §8).

use super::{
    authenticate::Posted,
    client::Client,
    server::{Core, Refusal},
};
use crate::{
    Dpop, DpopNonces,
    dpop::{Flaw, Rules},
    reply::Reply,
    request::Parameters,
};

/// The thumbprint of the key that tokens get bound to, `None` for bearer tokens.
pub(super) fn demanded(
    core: &Core,
    posted: &Posted<'_>,
    client: Option<&Client>,
) -> Result<Option<String>, Refusal> {
    let offered = offered(core, posted)?;
    let (dpop, _) = rules(core);
    let wanted = client.is_some_and(Client::wants_bound_tokens) && dpop.is_checked();
    if offered.is_none() && (dpop == Dpop::Required || wanted) {
        return Err(invalid("there is none"));
    }
    Ok(offered)
}

/// The thumbprint of the key that proved itself, if one did.
pub(super) fn offered(core: &Core, posted: &Posted<'_>) -> Result<Option<String>, Refusal> {
    let (dpop, nonces) = rules(core);
    if !dpop.is_checked() {
        return Ok(None);
    }
    let rules = Rules {
        algorithms: &core.config.dpop_algorithms,
        now: core.clock.now(),
        nonces,
        access_token: None,
    };
    let found = core.proofs.check(posted.request, &rules);
    let found = found.map_err(|flaw| refusal(core, flaw))?;
    core.count(|c| c.dpop_proofs += usize::from(found.is_some()));
    Ok(found)
}

fn refusal(core: &Core, flaw: Flaw) -> Refusal {
    match flaw {
        Flaw::Invalid(why) => invalid(&why),
        Flaw::Nonce(nonce) => {
            core.count(|c| c.nonce_challenges += 1);
            let why = "the DPoP proof has not the current nonce";
            Refusal {
                nonce: Some(nonce),
                ..Refusal::new("use_dpop_nonce", why)
            }
        }
    }
}

/// Puts a new nonce into an answer if the server does that.
pub(super) fn renew_nonce(core: &Core, mut reply: Reply) -> Reply {
    let (dpop, nonces) = rules(core);
    if dpop.is_checked() && nonces == DpopNonces::OnEveryAnswer {
        core.proofs.renew(&mut reply);
    }
    reply
}

/// `dpop_jkt` of an authorization request (RFC 9449 §10).
pub(super) fn announced(core: &Core, parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let (dpop, _) = rules(core);
    let Some(announced) = parameters.first("dpop_jkt").filter(|_| dpop.is_checked()) else {
        return Ok(None);
    };
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if announced.len() != 43 || !announced.bytes().all(legal) {
        let why = "dpop_jkt is not the base64url of a SHA-256 hash";
        return Err(Refusal::new("invalid_request", why));
    }
    Ok(Some(announced.to_owned()))
}

/// Whether a key may be used: it is the one that was bound, or nothing was.
pub(super) fn check_key(
    core: &Core,
    bound: Option<&String>,
    used: Option<&String>,
    what: &str,
) -> Result<(), Refusal> {
    let (dpop, _) = rules(core);
    if bound.is_none() || bound == used || !dpop.is_checked() {
        return Ok(());
    }
    let why = format!("the {what} is bound to another key than the DPoP proof's");
    Err(Refusal::new("invalid_grant", why))
}

fn rules(core: &Core) -> (Dpop, DpopNonces) {
    let settings = core.settings();
    (settings.dpop, settings.dpop_nonces)
}

fn invalid(why: &str) -> Refusal {
    Refusal::new("invalid_dpop_proof", format!("DPoP proof: {why}"))
}

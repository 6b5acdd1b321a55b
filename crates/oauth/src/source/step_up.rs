//! stub
use super::inner::Inner;
use crate::{access_token::AccessToken, error::Error};
use doorkey_discovery::Challenges;
use std::sync::Arc;
pub(super) async fn insufficient_scope(
    _: &Arc<Inner>,
    _: &AccessToken,
    _: &Challenges,
) -> Result<AccessToken, Error> {
    todo!()
}

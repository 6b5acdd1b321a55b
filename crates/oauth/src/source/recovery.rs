//! stub
use super::inner::Inner;
use crate::{access_token::AccessToken, error::Error};
use doorkey_discovery::Challenges;
use std::sync::Arc;
pub(super) async fn rejected(
    _: &Arc<Inner>,
    _: Option<&AccessToken>,
    _: &Challenges,
) -> Result<AccessToken, Error> {
    todo!()
}

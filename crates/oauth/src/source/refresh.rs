//! stub
use super::inner::Inner;
use crate::{access_token::AccessToken, error::Error};
use std::sync::Arc;
pub(super) async fn token(_: &Arc<Inner>) -> Result<Option<AccessToken>, Error> {
    todo!()
}

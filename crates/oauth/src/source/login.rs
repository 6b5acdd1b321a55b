//! stub
use super::inner::Inner;
use crate::{error::Error, interaction::Interaction, report::LoginReport};
use doorkey_discovery::Challenges;
use std::sync::Arc;
pub(super) async fn login(
    _: &Arc<Inner>,
    _: &Challenges,
    _: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    todo!()
}

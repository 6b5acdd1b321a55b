//! stub
use super::inner::Inner;
use crate::error::Error;
use doorkey_store::Proof;
use std::sync::Arc;
pub(super) async fn record_proof(_: &Arc<Inner>, _: Proof, _: Option<String>) -> Result<(), Error> {
    todo!()
}

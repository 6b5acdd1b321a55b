//! stub
use super::inner::Inner;
use crate::report::DrainTimeout;
use std::sync::Arc;
use std::time::Duration;
pub(super) async fn drain(_: &Arc<Inner>, _: Duration) -> Result<(), DrainTimeout> {
    todo!()
}

//! stub
use super::inner::Inner;
use crate::{
    error::Error,
    report::{LogoutOptions, LogoutReport},
};
use std::sync::Arc;
pub(super) async fn logout(_: &Arc<Inner>, _: LogoutOptions) -> Result<LogoutReport, Error> {
    todo!()
}

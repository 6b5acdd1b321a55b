//! stub
use super::TokenSourceBuilder;
use crate::access_token::AccessToken;
use crate::config::AuthorizationConfig;
use crate::error::Error;
use crate::interaction::Interaction;
use doorkey_store::{GrantKey, Store};
use std::sync::Arc;
use url::Url;
pub(super) struct Inner {
    pub(super) config: AuthorizationConfig,
    pub(super) store: Store,
    pub(super) key: GrantKey,
    pub(super) interaction: Option<Arc<dyn Interaction>>,
}
impl Inner {
    pub(super) fn new(b: TokenSourceBuilder) -> Self {
        let key = b.config.grant_key();
        Self {
            config: b.config,
            store: b.store,
            key,
            interaction: b.interaction,
        }
    }
    pub(super) fn covers(&self, url: &Url) -> bool {
        crate::resource::covers(&self.config.server, None, url)
    }
    pub(super) fn accepted(&self, _: &AccessToken) {}
    pub(super) fn store_problem(&self) -> Option<Error> {
        None
    }
}

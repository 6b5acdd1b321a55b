use doorkey_http::{Body, BoxError, HttpProfile};
use futures_util::FutureExt as _;
use http::{Request, Response};

use super::*;
use crate::source::{Kind, TokenSource};

#[tokio::test]
async fn a_fresh_token_is_read_and_used_while_somebody_holds_every_lock() {
    let nobody = tower::service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, BoxError>("no request is made".into())
    });
    let url = Url::parse("https://mcp.example/mcp").unwrap();
    let http = HttpClient::with_service(&HttpProfile::new(url.clone()), nobody).unwrap();
    let config = AuthorizationConfig::new(url.clone());
    let store = Store::memory();
    let mut grant = Grant::new("https://as.example", "c", "https://as.example/token");
    grant.resource = Some(url.to_string());
    grant.access_token = Some("at".into());
    let key = config.grant_key();
    store.save_grant(&key, &grant, None).await.unwrap();
    let source = TokenSource::builder(config, http, store).build();
    let first = source.token().await.unwrap().unwrap();
    let Kind::Granted(inner) = &source.0 else {
        unreachable!("it has a grant")
    };

    let held = (
        lock(&inner.epoch),
        lock(&inner.problem),
        lock(&inner.backoff),
        lock(&inner.last_issuer),
        lock(&inner.refused_scopes),
        lock(&inner.refused_assertion),
        lock(&inner.unsaved_identity),
        inner.saving.try_lock().unwrap(),
    );
    let token = source.token().now_or_never().expect("no wait");
    let token = token.unwrap().unwrap();
    assert_eq!(token, first);
    assert!(source.covers(&url));
    assert_eq!(token.header_value().unwrap(), "Bearer at");
    assert_eq!(source.proof(&token, &Method::POST, &url).unwrap(), None);
    assert_eq!(source.identity_epoch(), 0);
    source.accepted(&token);
    drop(held);
}

#[test]
fn all_requests_with_a_token_share_the_bytes_of_one_header() {
    let token = AccessToken::issued("at".into(), crate::TokenType::Bearer, None, None);
    let [one, other] = [0; 2].map(|_| token.header_value().unwrap());
    assert_eq!(one.as_bytes().as_ptr(), other.as_bytes().as_ptr());
    assert!(one.is_sensitive());
    let later = token.expiring(None).header_value().unwrap();
    assert_eq!(later, one);
}

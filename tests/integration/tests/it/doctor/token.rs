//! What the store has of a login, and its refresh.

use super::bench::Bench;

cases! {
    not_signed_in: None, async || Bench::new().await;
    refresh_token_refused: Some("token"), async || {
        let bench = Bench::signed_in().await;
        bench.home.expire().await;
        bench.world.auth.revoke_refresh_tokens();
        bench
    };
}

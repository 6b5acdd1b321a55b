//! A home with many servers, all signed in to.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorkey::Home;
use doorkey_store::{Grant, GrantKey, Proof, ServerFacts, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::BoxError;

/// Gives a home the servers up to the end of this range, and those within the range the records that a login leaves.
pub(crate) async fn fill(home: &Path, servers: Range<usize>) -> Result<(), BoxError> {
    let store = Store::file(Home::at(home).state_folder())?;
    let until = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    let until = until.duration_since(UNIX_EPOCH)?.as_secs();
    let mut configuration = String::from("[store]\nbackend = \"file\"\n");
    for number in 0..servers.end {
        let url = url(number);
        write!(
            configuration,
            "\n[mcp_servers.server-{number}]\nurl = \"{url}\"\n"
        )?;
    }
    let saving = servers.map(|number| save(&store, number, until));
    let saving = stream::iter(saving).buffer_unordered(AT_ONCE);
    saving.try_collect::<()>().await?;
    fs::write(home.join("config.toml"), configuration)?;
    Ok(())
}

async fn save(store: &Store, number: usize, until: u64) -> Result<(), BoxError> {
    let url = url(number);
    let issuer = format!("https://as-{number}.example.com");
    let client = format!("client-{number:040}");
    let mut grant = Grant::new(&issuer, client, format!("{issuer}/token"));
    grant.resource = Some(url.clone());
    grant.access_token = Some(format!("{number:0600}").into());
    grant.refresh_token = Some(format!("{number:0120}").into());
    grant.authorization_endpoint = Some(format!("{issuer}/authorize"));
    grant.redirect_uri = Some("http://127.0.0.1:33418/callback".to_owned());
    grant.requested_scopes = ["mcp:read", "mcp:write"].map(str::to_owned).to_vec();
    grant.granted_scopes = Some(grant.requested_scopes.clone());
    grant.expires_at = Some(until);
    grant.proof = Proof::Accepted;
    let key = GrantKey::new(url.as_str(), "default");
    store.save_grant(&key, &grant, None).await?;
    let mut facts = ServerFacts::default();
    facts.needs_login = Some(true);
    store.save_facts(&url, &facts, None).await?;
    Ok(())
}

fn url(number: usize) -> String {
    format!("https://mcp-{number}.example.com/mcp")
}

const AT_ONCE: usize = 32;

//! Reads the files that `doorkey list --json` reads and prints what they say of each server, with the same parsers and
//! nothing else: the rival of the cold list.
//!
//! `bare-list HOME`

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml_edit::Document;

fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::args().nth(1).ok_or("usage: bare-list HOME")?;
    let home = Path::new(&home);
    let text = fs::read_to_string(home.join("config.toml"))?;
    let config = Document::parse(text.as_str())?;
    let servers = config
        .get("mcp_servers")
        .and_then(|servers| servers.as_table());
    let servers = servers.ok_or("no servers")?;
    let mut grants = grants(&home.join("state"))?;
    let rows: Vec<_> = servers
        .iter()
        .filter_map(|(name, server)| {
            let url = server.get("url")?.as_str()?;
            let grant = grants.remove(url);
            Some(Row { name, url, grant })
        })
        .collect();
    let text = serde_json::to_vec_pretty(&rows)?;
    std::io::stdout().lock().write_all(&text)?;
    Ok(())
}

/// What the records say, by the URL of the server.
fn grants(folder: &Path) -> Result<BTreeMap<String, Grant>, Box<dyn Error>> {
    let mut grants = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with("grant-") && name.ends_with(".json")) {
            continue;
        }
        let record: Record = serde_json::from_slice(&fs::read(entry.path())?)?;
        if let Some(url) = record.key.into_iter().next() {
            grants.insert(url, record.value);
        }
    }
    Ok(grants)
}

#[derive(Deserialize)]
struct Record {
    key: Vec<String>,
    value: Grant,
}

/// What a list shows of a login.
#[derive(Deserialize, Serialize)]
struct Grant {
    issuer: String,
    #[serde(default)]
    resource: Option<String>,
    client_id: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    granted_scopes: Option<Vec<String>>,
    #[serde(default)]
    expires_at: Option<u64>,
    #[serde(default)]
    proof: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    url: &'a str,
    grant: Option<Grant>,
}

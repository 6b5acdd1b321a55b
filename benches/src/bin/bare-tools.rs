//! What `doorkey tools` sends with a fresh token, sent by reqwest and nothing else: the rival of the cold program.
//!
//! `bare-tools URL TOKEN-FILE [CA-FILE]` trusts the authorities of the file alone; without one it trusts nobody, which is
//! enough for http. `bare-tools --system …` trusts the system's authorities as well, as a client does by default.

use std::error::Error;
use std::fs;

use reqwest::{Certificate, Client, ClientBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let system = arguments.next_if_eq("--system").is_some();
    let (Some(url), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bare-tools [--system] URL TOKEN-FILE [CA-FILE]".into());
    };
    let authorities = match arguments.next() {
        Some(file) => Certificate::from_pem_bundle(&fs::read(file)?)?,
        None => Vec::new(),
    };
    let client = Client::builder().user_agent(AGENT);
    let client = match system {
        true => client.tls_certs_merge(authorities),
        false => client.tls_certs_only(authorities),
    };
    let client = ClientBuilder::build(client)?;
    let token = fs::read_to_string(token)?;
    ask(&client, &url, token.trim(), 0, "server/discover", meta()).await?;
    let mut listing = meta();
    listing["progressToken"] = json!(0);
    let answer = ask(&client, &url, token.trim(), 1, "tools/list", listing).await?;
    let answer: Listing = serde_json::from_slice(&answer)?;
    print(&answer.result.tools);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer is what the program is for")]
fn print(tools: &[Tool]) {
    for tool in tools {
        println!("{}\t{}", tool.name, tool.description);
    }
}

async fn ask(
    client: &Client,
    url: &str,
    token: &str,
    id: u64,
    method: &str,
    meta: Value,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta}});
    let request = client
        .post(url)
        .header("accept", "text/event-stream, application/json")
        .header("content-type", "application/json")
        .header("mcp-method", method)
        .header("mcp-protocol-version", REVISION)
        .bearer_auth(token)
        .body(serde_json::to_vec(&message)?);
    let answer = request.send().await?.error_for_status()?;
    Ok(answer.bytes().await?.to_vec())
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "doorkey", "version": env!("CARGO_PKG_VERSION")},
        "io.modelcontextprotocol/protocolVersion": REVISION,
    })
}

#[derive(Deserialize)]
struct Listing {
    result: Tools,
}

#[derive(Deserialize)]
struct Tools {
    tools: Vec<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default)]
    description: String,
}

const REVISION: &str = "2026-07-28";
const AGENT: &str = concat!("doorkey/", env!("CARGO_PKG_VERSION"));

//! What a host declares of itself reaches the server on every request that says it.

use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use serde_json::Value;

use super::*;

const EXTENSIONS: [&str; 2] = [
    "io.modelcontextprotocol/oauth-client-credentials",
    "io.modelcontextprotocol/enterprise-managed-authorization",
];

/// A host that uses both extensions, or none.
fn host(uses_them: bool) -> ClientConfig {
    let mut capabilities = ClientCapabilities::default();
    capabilities.extensions = uses_them.then(|| {
        let declared = EXTENSIONS.map(|name| (name.to_owned(), serde_json::Map::new()));
        declared.into_iter().collect()
    });
    ClientConfig::new(capabilities, Implementation::new("host", "1.0"))
}

/// The capabilities in each request that says them.
async fn said(server: Server, protocol: Protocol, uses_them: bool) -> Vec<Value> {
    let script = Script::new(move |seen, _| server(seen));
    let options = ConnectOptions::default().with_protocol(protocol);
    let client = script.quiet_client();
    let connection = connect(client, &server_url(), options, host(uses_them))
        .await
        .unwrap();
    connection.service.list_all_tools().await.unwrap();
    let in_request = |seen: &Seen| {
        let params = &seen.body["params"];
        let meta = &params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        match seen.name() {
            "initialize" => Some(params["capabilities"].clone()),
            _ => Some(meta.clone()).filter(Value::is_object),
        }
    };
    script.seen().iter().filter_map(in_request).collect()
}

#[tokio::test]
async fn the_extensions_that_a_host_declares_are_told_on_either_wire_cc_10_ema_15() {
    let wires: [(Server, Protocol, usize); 2] = [
        (stateful, Protocol::V2025_11_25, 1),
        (stateless, Protocol::V2026_07_28, 2),
    ];
    for (server, protocol, times) in wires {
        let told = said(server, protocol, true).await;
        assert_eq!(told.len(), times, "{protocol:?}: {told:?}");
        for capabilities in told {
            for name in EXTENSIONS {
                assert!(
                    capabilities["extensions"][name].is_object(),
                    "{capabilities}"
                );
            }
        }
        for capabilities in said(server, protocol, false).await {
            assert!(capabilities.get("extensions").is_none(), "{capabilities}");
        }
    }
}

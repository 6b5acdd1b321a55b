//! A host that uses all a server offers, for the scenarios of the wire alone.
//!
//! It calls the tools that the suite lists for it, or else each one, with arguments made from its schema; reads each
//! resource and gets each prompt; and accepts what a server asks a person with the values that the server suggests.

#![expect(
    clippy::print_stderr,
    reason = "the suite shows what a failing client said"
)]

use std::process::ExitCode;
use std::time::Duration;

use conformance::{Failure, SERVER, Task, report, within_limit};
use doorkey::rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorData, FormElicitationCapability, GetPromptRequestParams,
    Implementation, ReadResourceRequestParams, Tool,
};
use doorkey::rmcp::service::RequestContext;
use doorkey::rmcp::{ClientHandler, RoleClient};
use doorkey::store::Store;
use doorkey::{Config, Connection, Environment, Event, Home, Host, Wire};
use serde_json::{Map, Value, json};

#[tokio::main]
async fn main() -> ExitCode {
    match within_limit(Box::pin(run())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", report(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let task = Task::of_this_process()?;
    // Nothing is read from this folder and nothing written to it: settings and logins are in memory.
    let home = Home::at("unused");
    let config = Config::parse(&home, &task.config())?;
    let host = Host::new(Environment::default(), home, config, Store::memory());

    let mut connection = host.connect_with(SERVER, Agreeable).await?;
    hear(&mut connection).await;
    let outcome = use_all(&connection, task.context()).await;
    connection.close(CLOSE_LIMIT).await;
    outcome
}

/// Waits until the server can be heard: what it asks before that is lost, and a stream that opens during a call is taken
/// by the suite for one that was broken off. A server without such a stream says nothing, so the wait is short.
async fn hear(connection: &mut Connection<Agreeable>) {
    let Some(mut events) = connection.take_events() else {
        return;
    };
    if connection.wire() == Wire::Stateless {
        return;
    }
    let opened = async {
        while let Some(event) = events.next().await {
            if matches!(event, Event::StreamOpened { .. }) {
                break;
            }
        }
    };
    // Either way the calls follow: the suite judges what comes of them.
    drop(tokio::time::timeout(HEARING, opened).await);
}

async fn use_all(connection: &Connection<Agreeable>, context: &Value) -> Result<(), Failure> {
    let offered = connection
        .service()
        .peer_info()
        .map(|server| server.capabilities.clone())
        .unwrap_or_default();
    let tools = connection.list_tools().await?;
    for (tool, arguments) in calls(&tools, context) {
        let called = connection.call_tool(&tool, arguments).await;
        tolerate(&format!("calling {tool}"), called)?;
    }
    if offered.resources.is_some() {
        for resource in connection.list_resources().await? {
            let uri = resource.uri.clone();
            connection
                .service()
                .read_resource(ReadResourceRequestParams::new(uri))
                .await?;
        }
    }
    if offered.prompts.is_some() {
        for prompt in connection.service().list_all_prompts().await? {
            connection
                .service()
                .get_prompt(GetPromptRequestParams::new(prompt.name))
                .await?;
        }
    }
    Ok(())
}

/// What to call with what: the suite's list, or each tool with arguments made from its schema.
fn calls(tools: &[Tool], context: &Value) -> Vec<(String, Option<Map<String, Value>>)> {
    match context["toolCalls"].as_array() {
        Some(listed) => listed
            .iter()
            .filter_map(|call| {
                let name = call["name"].as_str()?.to_owned();
                Some((name, call["arguments"].as_object().cloned()))
            })
            .collect(),
        None => tools
            .iter()
            .map(|tool| (tool.name.to_string(), arguments(tool, tools)))
            .collect(),
    }
}

/// A value for each required parameter. Where an object is wanted it is the schema of the first tool, the one object
/// that is known to be worth sending back.
fn arguments(tool: &Tool, tools: &[Tool]) -> Option<Map<String, Value>> {
    let required = tool.input_schema.get("required")?.as_array()?;
    let properties = tool.input_schema.get("properties")?.as_object()?;
    let value = |name: &str| match properties.get(name)?["type"].as_str()? {
        "integer" | "number" => Some(json!(7)),
        "boolean" => Some(json!(true)),
        "object" => Some(Value::Object(tools.first()?.input_schema.as_ref().clone())),
        _ => Some(json!("text")),
    };
    Some(
        required
            .iter()
            .filter_map(|name| Some((name.as_str()?.to_owned(), value(name.as_str()?)?)))
            .collect(),
    )
}

/// An error that the server answered with is an answer: some servers of the suite only show a tool.
fn tolerate<T>(what: &str, outcome: Result<T, doorkey::Error>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.protocol_error().is_none() => Err(error.into()),
        Err(error) => {
            eprintln!("{what}: {}", report(&error));
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// Agrees with whatever it is asked, and fills in forms with the defaults it is given (SEP-1034).
#[derive(Clone, Debug)]
struct Agreeable;

impl ClientHandler for Agreeable {
    fn get_info(&self) -> ClientConfig {
        let form = FormElicitationCapability::new().with_schema_validation(true);
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(ElicitationCapability::new().with_form(form));
        let implementation = Implementation::new("conformance", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(capabilities, implementation)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let accepted = ElicitResult::new(ElicitationAction::Accept);
        let ElicitRequestParams::FormElicitationParams {
            requested_schema, ..
        } = request
        else {
            return Ok(accepted);
        };
        let schema = serde_json::to_value(&requested_schema)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        let defaults = schema["properties"].as_object().into_iter().flatten();
        let filled: Map<_, _> = defaults
            .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
            .collect();
        Ok(accepted.with_content(Value::Object(filled)))
    }
}

const HEARING: Duration = Duration::from_secs(1);
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

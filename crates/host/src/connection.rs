//! A running connection to one server.

mod pages;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use doorkey_oauth::TokenSource;
use doorkey_rmcp::rmcp::model::{
    CallToolRequestParams, CallToolResult, GetPromptRequestParams, GetPromptResult,
    PaginatedRequestParams, Prompt, ReadResourceRequestParams, ReadResourceResult, Resource,
    ResourceTemplate, Tool,
};
use doorkey_rmcp::rmcp::service::{RunningService, ServiceError};
use doorkey_rmcp::rmcp::{ClientHandler, RoleClient};
use doorkey_rmcp::{Connected, EventStream, Wire};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::ServerConfig;
use crate::error::Error;
use crate::host::Session;

pub use pages::EndlessList;
use pages::Unlisted;

/// rmcp's running client with the token source behind it.
///
/// Use [`Connection::service`] for all that rmcp offers; the methods here cover what a command line
/// needs, each within the server's `tool_timeout_sec`, lists within [limits](EndlessList) that rmcp's own
/// `list_all_…` do not have. End it with [`Connection::close`].
pub struct Connection<H: ClientHandler> {
    session: Session,
    service: RunningService<RoleClient, H>,
    wire: Wire,
    events: Option<EventStream>,
    /// What ended an answer, as far as it was looked for.
    overflow: Mutex<Overflow>,
}

/// Whether the answer to a request ended because of too large an event.
#[derive(Debug)]
struct Overflow {
    events: EventStream,
    /// The limit, in bytes.
    limit: Option<usize>,
}

impl<H: ClientHandler> Connection<H> {
    /// `events` and `faults` are two streams of the events of the same client.
    pub(crate) fn new(
        session: Session,
        connected: Connected<H>,
        events: EventStream,
        faults: EventStream,
    ) -> Self {
        let overflow = Mutex::new(Overflow {
            events: faults,
            limit: None,
        });
        Self {
            overflow,
            session,
            service: connected.service,
            wire: connected.wire,
            events: Some(events),
        }
    }

    /// rmcp's running client.
    #[must_use]
    pub fn service(&self) -> &RunningService<RoleClient, H> {
        &self.service
    }

    /// The owner of the token in use.
    #[must_use]
    pub fn tokens(&self) -> &TokenSource {
        &self.session.tokens
    }

    /// The server as it is configured.
    pub(crate) fn server(&self) -> &ServerConfig {
        &self.session.server
    }

    /// The revision of MCP that was settled on.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// What happens beside the requests, such as a background stream that needs a login; once.
    pub fn take_events(&mut self) -> Option<EventStream> {
        self.events.take()
    }

    /// Every tool of the server.
    ///
    /// # Errors
    /// The server answered with an error, could not be reached, wants a login, or took too long; its list
    /// [has no end](EndlessList).
    pub async fn list_tools(&self) -> Result<Vec<Tool>, Error> {
        self.listed("tools/list", async |params| {
            let page = self.service.list_tools(Some(params)).await?;
            Ok((page.tools, page.next_cursor))
        })
        .await
    }

    /// Every resource of the server.
    ///
    /// # Errors
    /// As for [`Connection::list_tools`].
    pub async fn list_resources(&self) -> Result<Vec<Resource>, Error> {
        self.listed("resources/list", async |params| {
            let page = self.service.list_resources(Some(params)).await?;
            Ok((page.resources, page.next_cursor))
        })
        .await
    }

    /// Every template that the server makes addresses of resources of (RFC 6570).
    ///
    /// # Errors
    /// As for [`Connection::list_tools`].
    pub async fn list_resource_templates(&self) -> Result<Vec<ResourceTemplate>, Error> {
        self.listed("resources/templates/list", async |params| {
            let page = self.service.list_resource_templates(Some(params)).await?;
            Ok((page.resource_templates, page.next_cursor))
        })
        .await
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// As for [`Connection::list_tools`].
    pub async fn read_resource(&self, uri: &str) -> Result<ReadResourceResult, Error> {
        let params = ReadResourceRequestParams::new(uri);
        self.within("resources/read", self.service.read_resource(params))
            .await
    }

    /// Every prompt of the server.
    ///
    /// # Errors
    /// As for [`Connection::list_tools`].
    pub async fn list_prompts(&self) -> Result<Vec<Prompt>, Error> {
        self.listed("prompts/list", async |params| {
            let page = self.service.list_prompts(Some(params)).await?;
            Ok((page.prompts, page.next_cursor))
        })
        .await
    }

    /// A prompt with its arguments filled in.
    ///
    /// # Errors
    /// As for [`Connection::list_tools`].
    pub async fn get_prompt(
        &self,
        prompt: &str,
        arguments: Option<Map<String, Value>>,
    ) -> Result<GetPromptResult, Error> {
        let mut params = GetPromptRequestParams::new(prompt);
        params.arguments = arguments;
        self.within("prompts/get", self.service.get_prompt(params))
            .await
    }

    /// Calls a tool. A result that says `isError` is a result.
    ///
    /// # Errors
    /// As for [`Connection::list_tools`].
    pub async fn call_tool(
        &self,
        tool: &str,
        arguments: Option<Map<String, Value>>,
    ) -> Result<CallToolResult, Error> {
        let mut params = CallToolRequestParams::new(tool.to_owned());
        params.arguments = arguments;
        self.within("tools/call", self.service.call_tool(params))
            .await
    }

    /// Closes the MCP session and waits for a refresh that is under way, each at most `limit`.
    pub async fn close(mut self, limit: Duration) {
        match self.service.close_with_timeout(limit).await {
            Ok(Some(_)) => {}
            Ok(None) => tracing::debug!("the MCP session did not close in time"),
            Err(error) => tracing::debug!(%error, "the MCP session ended abnormally"),
        }
        if let Err(error) = self.session.tokens.drain(limit).await {
            tracing::warn!(%error, "a refresh is still running");
        }
    }

    /// rmcp tells of no reason when a connection ends; every request under way has the same one.
    fn overflow_behind(&self, error: &ServiceError) -> Option<usize> {
        if !matches!(error, ServiceError::TransportClosed) {
            return None;
        }
        let mut overflow = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        let found = overflow.events.overflow_of_answer();
        overflow.limit = found.or(overflow.limit);
        overflow.limit
    }

    /// Every page of a list.
    async fn listed<T: Serialize>(
        &self,
        what: &'static str,
        page: impl AsyncFn(PaginatedRequestParams) -> pages::Page<T>,
    ) -> Result<Vec<T>, Error> {
        match tokio::time::timeout(self.session.server.tool_timeout, pages::all(page)).await {
            Ok(Ok(items)) => Ok(items),
            Ok(Err(Unlisted::Service(source))) => Err(self.failed(what, source)),
            Ok(Err(Unlisted::Endless(fault))) => Err(Error::EndlessList {
                what,
                server: self.session.server.name.clone(),
                url: (&self.session.server.url).into(),
                fault,
            }),
            Err(_elapsed) => Err(self.late(what)),
        }
    }

    async fn within<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.session.server.tool_timeout, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(self.failed(what, source)),
            Err(_elapsed) => Err(self.late(what)),
        }
    }

    fn failed(&self, what: &'static str, source: ServiceError) -> Error {
        let server = self.session.server.name.clone();
        match self.overflow_behind(&source) {
            Some(limit) => Error::EventTooLarge {
                what,
                server,
                url: (&self.session.server.url).into(),
                limit,
            },
            None => Error::Request {
                what,
                server,
                source: Box::new(source),
            },
        }
    }

    fn late(&self, what: &'static str) -> Error {
        Error::TimedOut {
            what,
            server: self.session.server.name.clone(),
            limit: self.session.server.tool_timeout,
        }
    }
}

impl<H: ClientHandler> fmt::Debug for Connection<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.session.server.name)
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

//! Round trips: what each way through takes from servers far away, told from the order of requests and not by a clock,
//! and which connections are there when they are needed.

mod ahead;
mod far;
mod login;
mod tools;
mod warm;

use std::sync::Arc;
use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServerBuilder, Distance, Leg, McpServerBuilder, RecordedRequest,
};
use integration::World;

/// Servers that are far away, each behind a distance of its own.
pub(crate) struct Far {
    pub(crate) world: World,
    pub(crate) to_auth: Arc<Distance>,
    pub(crate) to_mcp: Arc<Distance>,
}

impl Far {
    /// Servers that differ from the default in what `auth` and `mcp` say.
    pub(crate) async fn with(
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        let (to_auth, to_mcp) = (distance().await, distance().await);
        let world = World::with(
            |base| auth(base.behind(&to_auth)),
            |base| mcp(base.behind(&to_mcp)),
        )
        .await;
        Self {
            world,
            to_auth,
            to_mcp,
        }
    }

    /// The requests of the stack in the order in which they came; those of the person's browser are not among them.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        let mut requests = self.world.recorder.requests();
        requests.retain(|request| request.leg != Leg::Authorization);
        requests.sort_by_key(|request| request.arrived);
        requests
    }

    /// The critical path since the record was cleared: each request of it waited for the answer to the one before.
    pub(crate) fn critical_path(&self) -> Vec<String> {
        let chain = self.to_mcp.longest_chain(&self.requests());
        chain.iter().map(name).collect()
    }

    /// How many connections were made to either server since the browser was sent back.
    pub(crate) fn connections_after_the_page(&self) -> usize {
        let pages = self.world.recorder.of(Leg::Authorization);
        let left = pages.iter().filter_map(|page| page.answered).max();
        let left = left.expect("a page");
        let made = [self.to_auth.connections(), self.to_mcp.connections()];
        made.iter().flatten().filter(|made| **made > left).count()
    }
}

/// A distance of 50 ms each way.
pub(crate) async fn distance() -> Arc<Distance> {
    let one_way = Duration::from_millis(50);
    Arc::new(Distance::of(one_way).await.expect("a free port"))
}

/// A request in a word: its JSON-RPC method, else its leg.
fn name(request: &RecordedRequest) -> String {
    match &request.rpc_method {
        Some(method) => method.clone(),
        None if request.leg == Leg::Resource => request.method.to_string(),
        None => request.leg.to_string(),
    }
}

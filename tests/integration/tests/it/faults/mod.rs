//! Every leg × everything that can go wrong with it: what a person reads, and that nothing was lost.
//!
//! Each cell runs the program on a home that has signed in before. What it wrote is compared with the reviewed snapshots
//! beside this file; after a change that is meant, `INSTA_UPDATE=always cargo test -p integration faults` writes them anew.

mod cell;
mod condition;
mod leg;
pub(crate) mod loss;
mod message;
mod standalone_stream;

use cell::Ground;
use condition::Condition;
use futures_util::{StreamExt as _, stream};
use leg::Leg;

/// One test for each leg, so that they run side by side.
macro_rules! legs {
    ($($test:ident: $leg:expr;)+) => {
        $(#[tokio::test]
        async fn $test() {
            insta::assert_snapshot!(stringify!($test), told($leg).await);
        })+
    };
}

legs! {
    first_request_of_a_login: Leg::Probe;
    resource_metadata: Leg::ResourceMetadata;
    authorization_server_metadata: Leg::AuthorizationServerMetadata;
    registration: Leg::Registration;
    code_exchange: Leg::Token;
    refresh: Leg::Refresh;
    revocation: Leg::Revocation;
    registration_deletion: Leg::Deregistration;
    opening_of_a_session: Leg::Initialize;
    list_of_tools: Leg::ToolsList;
    end_of_a_session: Leg::SessionEnd;
}

/// Goes through every condition on one leg, each on servers of its own, and collects what was read.
async fn told(leg: Leg) -> String {
    let cells = Condition::ALL.map(|condition| {
        Box::pin(async move {
            let told = Ground::new(leg).await.cell(condition).await;
            format!("\n== {condition}\n{told}")
        })
    });
    // Most of the time is spent waiting for what comes late.
    let cells: Vec<String> = stream::iter(cells).buffered(AT_ONCE).collect().await;
    format!("$ doorkey {}\n{}", leg.command().join(" "), cells.concat())
}

const AT_ONCE: usize = 4;

//! A distance by itself: how long everything takes over it, and what it leaves as it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Client, Distance, McpServer, Recorder,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const ONE_WAY: Duration = Duration::from_millis(40);
const ROUND_TRIP: Duration = Duration::from_millis(80);

/// A server that says everything again, so far away.
async fn echo() -> Distance {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a loopback that works");
    let distance = Distance::of(ONE_WAY).await.expect("a loopback that works");
    distance.lead_to(listener.local_addr().expect("a loopback that works"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ended = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    distance
}

/// How long it takes until eight bytes have come back.
async fn exchange(stream: &mut TcpStream) -> Duration {
    let said = Instant::now();
    stream
        .write_all(b"a letter")
        .await
        .expect("a loopback that works");
    let mut heard = [0; 8];
    stream
        .read_exact(&mut heard)
        .await
        .expect("a loopback that works");
    assert_eq!(&heard, b"a letter");
    said.elapsed()
}

#[tokio::test]
async fn a_connection_costs_a_round_trip_and_every_exchange_another() {
    let distance = echo().await;
    let mut stream = TcpStream::connect(distance.addr())
        .await
        .expect("a loopback that works");
    assert!(exchange(&mut stream).await >= ROUND_TRIP * 2);
    for _ in 0..5 {
        assert!(exchange(&mut stream).await >= ROUND_TRIP);
    }
    assert_eq!(distance.connections().len(), 1);
    assert_eq!(distance.round_trip(), ROUND_TRIP);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_as_far_for_many_connections_at_once_as_for_one() {
    let distance = Arc::new(echo().await);
    let clients = (0..64).map(|_| {
        let address = distance.addr();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address)
                .await
                .expect("a loopback that works");
            exchange(&mut stream).await;
            let mut taken = Vec::new();
            for _ in 0..10 {
                taken.push(exchange(&mut stream).await);
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        taken.extend(client.await.expect("a loopback that works"));
    }
    taken.sort();
    assert!(taken[0] >= ROUND_TRIP, "{taken:?}");
    // How far it is, and not how many there are: in line they would take 64 times as long.
    let median = taken[taken.len() / 2];
    assert!(median < ROUND_TRIP * 2, "{median:?}");
    assert_eq!(distance.connections().len(), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_takes_hardly_longer_than_little_and_stays_in_order() {
    const PIECES: u32 = 4 * 1024 * 1024;
    let distance = echo().await;
    let stream = TcpStream::connect(distance.addr())
        .await
        .expect("a loopback that works");
    let (mut reader, mut writer) = stream.into_split();
    let began = Instant::now();
    let saying = tokio::spawn(async move {
        let mut text = Vec::new();
        for piece in 0..PIECES {
            text.extend_from_slice(&piece.to_be_bytes());
        }
        writer
            .write_all(&text)
            .await
            .expect("a loopback that works");
        // The end arrives as well, behind all the rest.
        writer.shutdown().await.expect("a loopback that works");
    });
    let mut heard = Vec::new();
    reader
        .read_to_end(&mut heard)
        .await
        .expect("a loopback that works");
    saying.await.expect("a loopback that works");
    let numbers = heard
        .chunks_exact(4)
        .map(|it| u32::from_be_bytes(it.try_into().expect("a loopback that works")));
    assert!(numbers.eq(0..PIECES));
    // One piece after the other, 256 of 64 KiB at least, would take 256 round trips.
    assert!(began.elapsed() < ROUND_TRIP * 60, "{:?}", began.elapsed());
}

#[tokio::test]
async fn servers_behind_it_name_its_port_and_are_who_they_were() {
    let ca = CertificateAuthority::new().expect("a loopback that works");
    let recorder = Recorder::new();
    let distance = async || {
        Arc::new(
            Distance::of(Duration::from_millis(5))
                .await
                .expect("a loopback that works"),
        )
    };
    let (to_auth, to_mcp) = (distance().await, distance().await);
    let auth = AuthorizationServer::builder()
        .tls(&ca)
        .behind(&to_auth)
        .issuer_path("/tenant1")
        .recorder(&recorder);
    let auth = auth.start().await.expect("a loopback that works");
    let mcp = McpServer::builder()
        .tls(&ca)
        .behind(&to_mcp)
        .authorization(&auth)
        .recorder(&recorder);
    let mcp = mcp.start().await.expect("a loopback that works");
    assert_eq!(mcp.url(), format!("https://{}/mcp", to_mcp.addr()));
    assert_eq!(auth.issuer(), format!("https://{}/tenant1", to_auth.addr()));

    let client = Client::new().trusting(&ca);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let refused = client
        .post_json(&mcp.url(), &ping)
        .await
        .expect("a loopback that works");
    assert_eq!(refused.status, 401);
    let place = format!("{}/.well-known/oauth-protected-resource/mcp", mcp.origin());
    let metadata = client
        .get(&place)
        .await
        .expect("a loopback that works")
        .json();
    assert_eq!(metadata["resource"], mcp.url());
    assert_eq!(metadata["authorization_servers"][0], auth.issuer());
    let requests = recorder.requests();
    assert!(requests.iter().all(|it| it.url.starts_with(mcp.origin())));
    assert_eq!(mcp.refusals(), ["401: there is no token"]);

    // Nobody but the server itself is where it was before.
    mcp.restart().await.expect("a loopback that works");
    client.get(&place).await.expect("a loopback that works");
    assert_eq!(
        (to_mcp.connections().len(), to_auth.connections().len()),
        (3, 0)
    );
}

#[tokio::test]
async fn the_longest_chain_has_every_request_that_waited_for_the_one_before() {
    let recorder = Recorder::new();
    let distance = Arc::new(Distance::of(ONE_WAY).await.expect("a loopback that works"));
    let server = AuthorizationServer::builder()
        .behind(&distance)
        .recorder(&recorder);
    let server = server.start().await.expect("a loopback that works");
    let client = Client::new();
    let url = |path: &str| format!("{}/{path}", server.url());
    let get = async |path: &str| client.get(&url(path)).await.expect("a loopback that works");
    get("first").await;
    // Three of which none waits for another; then one that waits for the two of them.
    tokio::join!(get("second"), get("beside"), async {
        get("too").await;
        get("third").await
    });
    get("fourth").await;
    let requests = recorder.requests();
    assert_eq!(requests.len(), 6);
    let paths = |requests: &[_]| {
        let paths = distance.longest_chain(requests).into_iter();
        paths.map(|it| it.path().to_owned()).collect::<Vec<_>>()
    };
    let chain = paths(&requests);
    assert_eq!(chain.len(), 4, "{chain:?}");
    // Which of the three is in it is no matter.
    assert_eq!(
        (&*chain[0], &*chain[2], &*chain[3]),
        ("/first", "/third", "/fourth")
    );
    assert!(paths(&[]).is_empty());
}

#[tokio::test]
async fn what_leads_nowhere_ends_every_connection() {
    let nowhere = Distance::of(ONE_WAY).await.expect("a loopback that works");
    let mut stream = TcpStream::connect(nowhere.addr())
        .await
        .expect("a loopback that works");
    let mut heard = Vec::new();
    let ended = stream.read_to_end(&mut heard).await;
    assert!(ended.is_err() || heard.is_empty());
    assert_eq!(nowhere.connections().len(), 1);
}

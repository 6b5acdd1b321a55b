//! What a person reads: each page was looked at. `INSTA_UPDATE=always cargo test -p integration doctor::pages` writes them
//! anew after a change that is meant.

use doorkey_testkit::{CertificateAuthority, Fault, FaultRule, Leg};

use super::bench::Bench;

/// The page, the same in every run.
async fn page(bench: &Bench) -> String {
    let run = bench.run(&[]).await;
    let text = bench.world.anonymous(&run.stdout);
    let text = bench.anonymous(&text);
    let text = text.replace(&bench.home.path().display().to_string(), "$DOORKEY_HOME");
    // How much of its hour is left depends on the moment.
    let text = text.replace("good for 59 min", "good for 60 min");
    let lines: Vec<_> = text.lines().map(without_times).collect();
    format!("exit code {}\n{}\n", run.code, lines.join("\n"))
}

#[tokio::test]
async fn at_a_terminal_of_80_columns() {
    let bench = Bench::new().await;
    let run = bench.home.at_terminal(&["doctor", "it"]).sized(80, 60);
    let mut terminal = run.start();
    let code = terminal.ended().await;
    let shown = terminal.shown(&bench.world, &bench.home);
    let lines: Vec<_> = shown.lines().map(without_times).collect();
    insta::assert_snapshot!(format!("exit code {code}\n{}\n", lines.join("\n")));
}

/// `  12 ms` is how long this machine took this time.
fn without_times(line: &str) -> String {
    let Some((before, after)) = line.split_once(" ms  ") else {
        return line.to_owned();
    };
    let name = before.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let digits = before.len() - name.len();
    format!("{}{:>2$} ms  {after}", name.trim_end_matches(' '), "1", {
        let blanks = name.len() - name.trim_end_matches(' ').len();
        blanks + digits
    })
}

#[tokio::test]
async fn in_order() {
    insta::assert_snapshot!(page(&Bench::signed_in().await).await);
}

#[tokio::test]
async fn not_signed_in() {
    insta::assert_snapshot!(page(&Bench::new().await).await);
}

#[tokio::test]
async fn unknown_authority() {
    let bench = Bench::new().await;
    let other = CertificateAuthority::named("somebody else").expect("an authority");
    bench.home.write("ca.pem", other.pem().as_bytes());
    insta::assert_snapshot!(page(&bench).await);
}

#[tokio::test]
async fn wrong_audience() {
    let bench = Bench::signed_in().await;
    bench.world.mcp.reject_tokens(true);
    insta::assert_snapshot!(page(&bench).await);
}

#[tokio::test]
async fn like_entra() {
    let bench = Bench::signed_in().await;
    bench.home.expire().await;
    let said = "AADSTS9010010: The resource parameter provided in the request doesn't match with the requested scopes.";
    let fault = Fault::oauth_error(400, "invalid_target", said);
    bench
        .world
        .auth
        .fault(FaultRule::on(Leg::Token).respond(fault));
    insta::assert_snapshot!(page(&bench).await);
}

#[tokio::test]
async fn retired_transport() {
    let bench = Bench::socket(|head| match head.starts_with("GET ") {
        true => b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                  event: endpoint\ndata: /messages?session=1\n\n"
            .to_vec(),
        false => {
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
        }
    })
    .await;
    insta::assert_snapshot!(page(&bench).await);
}

#[tokio::test]
async fn no_registration() {
    let bench = Bench::with(|auth| auth.dynamic_registration(false), |mcp| mcp).await;
    insta::assert_snapshot!(page(&bench).await);
}

#[tokio::test]
async fn no_metadata_anywhere() {
    let bench = Bench::new().await;
    bench
        .world
        .auth
        .fault(FaultRule::on(Leg::AuthorizationServerMetadata).respond(Fault::status(403)));
    insta::assert_snapshot!(page(&bench).await);
}

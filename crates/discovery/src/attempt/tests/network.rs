//! What is said of requests that got no answer that may be used.

use doorkey_http::{
    AddressClass, AddressRefused, Error as Http, Exchange, HttpClient, HttpProfile, Leg, Phase,
    RedirectRule, TlsFault, check_endpoint,
};

use super::*;

/// A request to `url`, as errors name it. It is in plain http and never sent.
async fn exchange(url: &str) -> Exchange {
    let http = HttpClient::new(&HttpProfile::default()).unwrap();
    let request = http::Request::get(url).body(doorkey_http::Body::empty());
    let sent = http.send(Leg::ResourceMetadata, request.unwrap()).await;
    sent.unwrap_err().exchange().unwrap().clone()
}

fn no_connection(exchange: Exchange, cause: &str) -> Failure {
    let source = cause.into();
    Failure::Http(Http::Connect { exchange, source })
}

fn too_late(exchange: Exchange) -> Failure {
    Failure::Http(Http::Timeout {
        exchange,
        phase: Phase::Response,
        limit: Duration::from_secs(1),
    })
}

/// A way a request can fail, what is said of it, and whether trying again may help.
type Row = (Http, &'static str, bool);

/// No answer came, or not all of it.
fn without_an_answer(exchange: &Exchange) -> Vec<Row> {
    let timeout = |phase| Http::Timeout {
        exchange: exchange.clone(),
        phase,
        limit: Duration::from_secs(1),
    };
    let tls = Http::Tls {
        exchange: exchange.clone(),
        fault: TlsFault::UnknownAuthority,
        source: "tls".into(),
    };
    let connect = Http::Connect {
        exchange: exchange.clone(),
        source: "lookup".into(),
    };
    let cut = Http::Body {
        exchange: exchange.clone(),
        source: "cut".into(),
    };
    let transport = Http::Transport {
        exchange: exchange.clone(),
        source: "no HTTP".into(),
    };
    vec![
        (timeout(Phase::Connect), "timed out", true),
        (timeout(Phase::Body), "timed out", true),
        (tls, "no secure connection", true),
        (connect, "could not connect", true),
        (cut, "the answer broke off", true),
        (transport, "no valid answer", true),
    ]
}

/// A rule or a limit of ours stands in the way.
fn against_a_rule(exchange: &Exchange) -> Vec<Row> {
    let redirect = Http::RedirectRefused {
        exchange: exchange.clone(),
        status: StatusCode::FOUND,
        target: "ftp://h/".to_owned(),
        source: RedirectRule::Downgrade,
    };
    let endpoint = Http::Endpoint {
        exchange: exchange.clone(),
        source: check_endpoint(&"http://h/".parse().unwrap()).unwrap_err(),
    };
    let address = Http::AddressRefused {
        exchange: exchange.clone(),
        source: AddressRefused::Never {
            host: "h".to_owned(),
            address: [169, 254, 169, 254].into(),
            class: AddressClass::CloudMetadata,
        },
    };
    let headers = Http::HeadersTooLarge {
        exchange: exchange.clone(),
        limit: 1,
    };
    let body = Http::BodyTooLarge {
        exchange: exchange.clone(),
        limit: 1,
    };
    let url = Http::Url {
        leg: Leg::ResourceMetadata,
        source: url::ParseError::EmptyHost,
    };
    vec![
        (redirect, "redirects where it must not be followed", false),
        (endpoint, "refused", false),
        (address, "refused", false),
        (headers, "the answer is too long", false),
        (body, "the answer is too long", true),
        (url, "no valid answer", false),
    ]
}

async fn rows() -> Vec<Row> {
    let exchange = exchange("http://h/0").await;
    let mut rows = without_an_answer(&exchange);
    rows.extend(against_a_rule(&exchange));
    rows
}

#[tokio::test]
async fn a_server_that_could_not_be_asked_may_be_asked_again_when_the_network_says_so_err_09() {
    for (error, words, _) in rows().await {
        let transient = error.is_transient();
        let error = crate::Error::from(error);
        assert_eq!(error.is_transient(), transient, "{words}");
        assert!(
            error.attempts().is_none() && !error.needs_login(),
            "{words}"
        );
    }
}

#[tokio::test]
async fn every_failed_request_has_its_words_and_proves_nothing_disc_17_as_11_leg_01() {
    for (error, words, transient) in rows().await {
        let text = error.to_string();
        let failure = Failure::Http(error);
        assert_eq!(failure.to_string(), words, "{text}");
        assert_eq!(failure.is_transient(), transient, "{text}");
        assert_eq!(failure.class(), Class::Trouble, "{text}");
        assert_eq!(failure.retry_after(), None, "{text}");
    }
}

#[tokio::test]
async fn a_cause_that_several_requests_share_is_told_once_as_13() {
    let at = |place: &str, failure| attempt(place, failure);
    let no_answer = |exchange, cause: &str| {
        let source = cause.into();
        Failure::Http(Http::Transport { exchange, source })
    };
    let lead = exchange("http://h/0").await;
    let mut table = Attempts::default();
    table.push(at("http://h/0?key", no_connection(lead.clone(), "refused")));
    table.push(at("http://h/1", no_connection(lead.clone(), "refused")));
    table.push(at("http://h/2", no_connection(lead.clone(), "no route")));
    table.push(at("http://h/3", no_answer(lead.clone(), "refused")));
    table.push(at("http://h/4", too_late(lead.clone())));
    table.push(at("http://h/5", status(404)));
    assert_eq!(
        table.to_string(),
        "the request failed; \
         http://h/1: likewise; \
         http://h/2: could not connect (no route); \
         http://h/3: no valid answer (refused); \
         http://h/4: timed out; \
         http://h/5: HTTP 404"
    );
    assert_eq!(
        table.source().unwrap().to_string(),
        "resource metadata request GET http://h/0: could not connect"
    );
}

#[tokio::test]
async fn a_failure_behind_a_redirect_says_where_it_began_as_13() {
    let mut table = Attempts::default();
    let elsewhere = exchange("http://elsewhere/x").await;
    table.push(attempt("http://h/0", too_late(elsewhere)));
    assert_eq!(
        table.to_string(),
        "http://h/0: the request it led to failed"
    );
}

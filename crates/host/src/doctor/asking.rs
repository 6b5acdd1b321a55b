//! The first request without a token, and the challenge that it meets.

use std::time::Duration;

use doorkey_http::{Body, Leg, Recorded, SentSecrets, Trouble};
use doorkey_oauth::Challenges;
use doorkey_rmcp::{ConnectError, ProbeOutcome, authorization_error};
use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;

use super::answer::{self, Judged};
use super::diagnosis::Status;
use super::engine::{Doctor, Patient, told};
use super::fault::Step;
use super::seen;
use super::table::{first, session};

/// What the server said to somebody without a token.
pub(super) struct Asked {
    /// What it asks for; `None` when it wants no login.
    pub(super) challenges: Option<Challenges>,
    /// The exchange with the challenge.
    pub(super) exchange: Option<Recorded>,
}

impl Doctor<'_> {
    pub(super) async fn first_request(&mut self, patient: &Patient) -> Option<Asked> {
        self.notes.begin(Step::FirstRequest);
        let mark = self.recorder.len();
        let server = &patient.server;
        let http = &patient.session.http;
        let probe = doorkey_rmcp::probe(http, &server.url, server.protocol, None);
        let outcome = tokio::time::timeout(server.startup_timeout, probe).await;
        let exchanges = self.since(mark);
        match outcome {
            Ok(Ok(ProbeOutcome::Challenged(challenges))) => {
                Some(self.challenged(challenges, &exchanges))
            }
            Ok(Ok(ProbeOutcome::Open { wire })) => {
                self.notes
                    .ok(format!("the server answers without a login (MCP {wire})"));
                self.notes
                    .skip(Step::Challenge, "the server asks for no login");
                Some(Asked {
                    challenges: None,
                    exchange: None,
                })
            }
            Ok(Err(error)) => {
                if let Some(challenges) = exchanges.iter().find_map(challenge_of_403) {
                    return Some(self.challenged(challenges, &exchanges));
                }
                self.refused(patient, &error, &exchanges).await;
                None
            }
            Ok(Ok(_)) => None,
            Err(_elapsed) => {
                let evidence = exchanges.last().map(|it| self.notes.evidence(it));
                let value = format!(
                    "{} s (startup_timeout_sec)",
                    server.startup_timeout.as_secs_f32()
                );
                self.notes
                    .fail(&first::ANSWER_TOO_SLOW, evidence, &[("value", value)]);
                None
            }
        }
    }

    /// The server wants a login.
    fn challenged(&mut self, challenges: Challenges, exchanges: &[Recorded]) -> Asked {
        let is_401 = |it: &&Recorded| seen::status(it) == Some(StatusCode::UNAUTHORIZED);
        let is_403 = |it: &&Recorded| challenge_of_403(it).is_some();
        let last = exchanges.iter().rev();
        let exchange = last
            .clone()
            .find(is_401)
            .or_else(|| last.clone().find(is_403));
        let late = match exchanges.len() > 2 {
            true => ", after the opening",
            false => "",
        };
        let status = exchange.and_then(seen::status);
        let status = status.unwrap_or(StatusCode::UNAUTHORIZED).as_u16();
        self.notes
            .ok(format!("the server wants a login ({status}{late})"));
        let exchange = exchange.cloned();
        self.challenge(&challenges, exchange.as_ref());
        Asked {
            challenges: Some(challenges),
            exchange,
        }
    }

    /// The first answer that is no MCP message says most: what comes after it is a fallback.
    async fn refused(&mut self, patient: &Patient, error: &ConnectError, exchanges: &[Recorded]) {
        let judged = exchanges
            .iter()
            .find_map(|it| answer::judge(it, &self.notes.secrets).map(|judged| (it, judged)));
        let Some((exchange, judged)) = judged else {
            let mut posts = exchanges.iter().rev();
            let exchange = posts.find(|it| it.method == Method::POST);
            let judged = of_message(error, exchange);
            let evidence = exchange.map(|it| self.notes.evidence(it));
            self.notes
                .fail(judged.fault, evidence, &[("value", judged.value)]);
            return;
        };
        let may_be_retired = [
            first::NOT_FOUND.id,
            first::METHOD_REFUSED.id,
            first::REQUEST_REFUSED.id,
        ];
        if may_be_retired.contains(&judged.fault.id)
            && let Some(stream) = self.retired(patient).await
        {
            let evidence = self.notes.evidence(&stream);
            self.notes
                .fail(&first::RETIRED_TRANSPORT, Some(evidence), &[]);
            return;
        }
        let evidence = self.notes.evidence(exchange);
        self.notes
            .fail(judged.fault, Some(evidence), &[("value", judged.value)]);
    }

    /// The stream of a server that speaks the transport of 2024-11-05: its first event names an endpoint.
    async fn retired(&self, patient: &Patient) -> Option<Recorded> {
        let mark = self.recorder.len();
        let request = Request::get(patient.server.url.as_str())
            .header(ACCEPT, "text/event-stream")
            .body(Body::empty())
            .ok()?;
        let response = patient
            .session
            .http
            .send(Leg::Resource, request)
            .await
            .ok()?;
        let kind = response
            .headers()
            .get(CONTENT_TYPE)?
            .to_str()
            .ok()?
            .to_owned();
        if response.status() != StatusCode::OK || !kind.starts_with("text/event-stream") {
            return None;
        }
        let mut body = response.into_body();
        let mut start = Vec::new();
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await {
                start.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                if start.len() > MOST_OF_A_STREAM || has_endpoint(&start) {
                    break;
                }
            }
        };
        // A stream that stays silent is not one of those.
        let _unless_late = tokio::time::timeout(FIRST_EVENT, reading).await;
        let stream = self.since(mark).into_iter().next()?;
        has_endpoint(seen::body(&stream)).then_some(stream)
    }

    fn challenge(&mut self, challenges: &Challenges, exchange: Option<&Recorded>) {
        self.notes.begin(Step::Challenge);
        let lines: Vec<String> = exchange
            .and_then(seen::headers)
            .map(|headers| headers.get_all(WWW_AUTHENTICATE))
            .into_iter()
            .flatten()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let evidence = exchange.map(|it| {
            let mut evidence = self.notes.evidence(it);
            let none = SentSecrets::default();
            if !lines.is_empty() {
                let line = format!("WWW-Authenticate: {}", lines.join(", "));
                evidence.excerpt = Some(self.notes.secrets.cleaned(&line, &none, 300));
            }
            evidence
        });
        if exchange.and_then(seen::status) == Some(StatusCode::FORBIDDEN) {
            let evidence = evidence.clone();
            self.notes.find(&first::FORBIDDEN_CHALLENGE, evidence, &[]);
        }
        let schemes: Vec<_> = challenges.iter().map(|it| it.scheme().to_owned()).collect();
        let is_ours = challenges
            .iter()
            .any(|it| it.is_scheme("Bearer") || it.is_scheme("DPoP"));
        if lines.is_empty() {
            self.notes.find(&first::CHALLENGE_MISSING, evidence, &[]);
            self.notes
                .ok("there is none; the well-known places are asked");
            return;
        }
        if schemes.is_empty() {
            let value = doorkey_http::clean_text(&lines.join(", "), 200);
            self.notes
                .find(&first::CHALLENGE_UNREADABLE, evidence, &[("value", value)]);
            self.notes
                .ok("it cannot be read; the well-known places are asked");
            return;
        }
        if !is_ours {
            let said = [("value", schemes.join(", "))];
            self.notes
                .find(&first::CHALLENGE_OTHER_SCHEME, evidence, &said);
            self.notes
                .done(Status::Warning, format!("asks for {}", schemes.join(", ")));
            return;
        }
        let mut parts = vec![schemes.join(", ")];
        if challenges.resource_metadata().is_some() {
            parts.push("names its metadata".to_owned());
        }
        if let Some(scopes) = challenges.scope() {
            parts.push(format!(
                "wants {}",
                doorkey_http::clean_text(&scopes.to_string(), 200)
            ));
        }
        self.notes.ok(parts.join(", "));
    }
}

/// The challenge of an answer that should have been a 401.
fn challenge_of_403(recorded: &Recorded) -> Option<Challenges> {
    if seen::status(recorded) != Some(StatusCode::FORBIDDEN) {
        return None;
    }
    let challenges = Challenges::from_headers(seen::headers(recorded)?);
    let is_ours =
        |it: &doorkey_discovery::Challenge| it.is_scheme("Bearer") || it.is_scheme("DPoP");
    challenges.iter().any(is_ours).then_some(challenges)
}

fn has_endpoint(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    text.lines()
        .any(|line| line.trim_end() == "event: endpoint" || line.trim_end() == "event:endpoint")
}

/// What a failure means where every answer was one to be read.
fn of_message(error: &ConnectError, exchange: Option<&Recorded>) -> Judged {
    if let Some(http) = authorization_error(error).and_then(doorkey_oauth::Error::http) {
        return Judged::new(answer::of_resource(http.trouble()), told(http));
    }
    if let ConnectError::WireRefused { .. } = error {
        if !exchange.is_some_and(answer::is_rpc) {
            return Judged::new(&first::NOT_MCP, error.to_string());
        }
        return Judged::new(&session::VERSION_UNSUPPORTED, error.to_string());
    }
    let rpc = match error {
        ConnectError::Rejected { .. } => true,
        _ => exchange.is_some_and(|it| seen::trouble(it) == Some(Trouble::Broken)),
    };
    let fault = match error {
        _ if rpc => &first::MCP_ERROR,
        ConnectError::Timeout { .. } => &first::ANSWER_TOO_SLOW,
        _ => &first::NOT_MCP,
    };
    Judged::new(fault, told(error))
}

/// How long the first event of a stream is waited for.
const FIRST_EVENT: Duration = Duration::from_secs(3);
const MOST_OF_A_STREAM: usize = 4 * 1024;

//! The refresh of a token that is due for it: the real one, fenced and saved as any other.

use doorkey_http::{Leg, Recorded};
use doorkey_oauth::{AccessToken, Error as OAuthError, LoginReason, ProtocolError};

use super::asking::Asked;
use super::diagnosis::Status;
use super::engine::{Doctor, Patient, told};
use super::fault::{Fault, Step};
use super::login::Login;
use super::seen;
use super::table::{settings, token as table};
use super::way::of_trouble;

/// What requests are sent with.
pub(super) enum Sent {
    /// Nothing: the server asks for no login.
    Nothing,
    /// The configured token.
    Configured,
    /// The token of the login.
    Token(AccessToken),
}

/// What follows from what the store has.
enum Next {
    /// The token source is asked.
    Ask,
    /// Requests are sent with that.
    Go(Sent),
    /// There is nothing to go on with.
    End,
}

impl Doctor<'_> {
    /// The token to go on with, refreshed if it is due.
    pub(super) async fn refresh(
        &mut self,
        patient: &Patient,
        asked: &Asked,
        login: Login,
    ) -> Option<Sent> {
        match self.without_refresh(patient, asked, login) {
            Next::Ask => {}
            Next::Go(sent) => return Some(sent),
            Next::End => return None,
        }
        self.notes.begin(Step::Refresh);
        if login == Login::Fresh && !self.options.refresh {
            return self.as_it_is(patient).await;
        }
        let mark = self.recorder.len();
        let outcome = match login {
            Login::BySelf => {
                let challenges = asked.challenges.clone().unwrap_or_default();
                patient.tokens().rejected(None, &challenges).await.map(Some)
            }
            _ => patient.tokens().token().await,
        };
        if let Ok(Some(stored)) = patient.tokens().grant().await {
            self.keep_secrets(&stored.value);
        }
        let exchanges = self.since(mark);
        let request = exchanges.iter().rev().find(|it| it.leg == Leg::Token);
        match outcome {
            Ok(Some(token)) => {
                let (status, detail) = match (request, login) {
                    (Some(_), Login::BySelf) => (Status::Ok, "a token was obtained, and saved"),
                    (Some(_), _) => (Status::Ok, "done, and saved"),
                    (None, _) => (Status::Skipped, "none is due"),
                };
                self.notes.done(status, detail);
                Some(Sent::Token(token))
            }
            Ok(None) => {
                self.notes
                    .done(Status::Skipped, "there is no login any more");
                None
            }
            Err(error) => {
                let fault = match login {
                    Login::BySelf => of_first_token(&error, request),
                    _ => of_refresh(&error, request),
                };
                self.refresh_failed(patient, &error, request, fault);
                None
            }
        }
    }

    fn without_refresh(&mut self, patient: &Patient, asked: &Asked, login: Login) -> Next {
        if patient.server.bearer_key().is_some() {
            self.notes
                .skip(Step::Refresh, "a configured token is not refreshed");
            return Next::Go(Sent::Configured);
        }
        match login {
            Login::NotNeeded => {
                self.notes
                    .skip(Step::Refresh, "the server asks for no login");
                Next::Go(Sent::Nothing)
            }
            Login::Unusable if asked.challenges.is_none() => {
                self.notes
                    .skip(Step::Refresh, "the server asks for no login");
                Next::Go(Sent::Nothing)
            }
            Login::BySelf if !self.options.refresh => {
                self.skip_the_rest("there is no token yet, and --no-refresh was given");
                Next::End
            }
            Login::Due if !self.options.refresh => {
                self.skip_the_rest("a refresh is due, and --no-refresh was given");
                Next::End
            }
            // It would come to what was found before it.
            Login::BySelf if self.notes.is_stopped() => Next::End,
            Login::Unusable => Next::End,
            Login::Due | Login::Fresh | Login::BySelf => Next::Ask,
        }
    }

    fn skip_the_rest(&mut self, because: &str) {
        for step in [Step::Refresh, Step::Initialize, Step::Tools] {
            self.notes.skip(step, because);
        }
    }

    /// The stored token without a refresh, even where one is due early.
    async fn as_it_is(&mut self, patient: &Patient) -> Option<Sent> {
        let token = patient.tokens().stored_token().await.ok().flatten();
        self.notes.done(Status::Skipped, "--no-refresh was given");
        token.map(Sent::Token)
    }

    fn refresh_failed(
        &mut self,
        patient: &Patient,
        error: &OAuthError,
        request: Option<&Recorded>,
        (fault, value): (&'static Fault, String),
    ) {
        let evidence = request.map(|it| {
            let mut evidence = self.notes.evidence(it);
            // The body of a good answer is not kept; what it said is in the error.
            evidence.excerpt = evidence.excerpt.or_else(|| Some(value.clone()));
            evidence
        });
        self.notes.fail(fault, evidence, &[("value", value)]);
        let server = &patient.server;
        let quirks = &server.quirks.used;
        let issuer = (!self.notes.issuer.is_empty()).then_some(self.notes.issuer.as_str());
        let quirk = quirks
            .explain(&server.url, issuer, error)
            .map(|(quirk, _)| quirk.id.clone());
        if quirk.is_none() {
            let offer = self.host.offer(server, issuer, error);
            self.notes.offer(fault, offer, server);
            return;
        }
        self.notes.of_quirk(fault, quirk);
    }
}

/// The fault behind a first token that was not given, where nobody has to sign in for it.
fn of_first_token(error: &OAuthError, request: Option<&Recorded>) -> (&'static Fault, String) {
    match error {
        OAuthError::Assertion(cause) if cause.is_transient() => {
            (&table::TOKEN_UNOBTAINABLE, told(error))
        }
        OAuthError::Assertion(_) | OAuthError::AssertionExpired => {
            (&table::ASSERTION_MISSING, told(error))
        }
        OAuthError::TokenEndpoint { error: said, .. } if said.is("invalid_client") => {
            (&table::CLIENT_REFUSED, said.to_string())
        }
        OAuthError::TokenEndpoint {
            status,
            error: said,
            ..
        } if !status.is_server_error() && !said.is_transient() => {
            (&table::TOKEN_REFUSED, said.to_string())
        }
        OAuthError::Store(_) => (&settings::STORE_UNUSABLE, told(error)),
        _ if error.is_transient() => {
            let http = error.http();
            let fault = http.and_then(|http| of_trouble(http.trouble()));
            (fault.unwrap_or(&table::TOKEN_UNOBTAINABLE), told(error))
        }
        _ => match request.and_then(seen::status) {
            Some(status) if status.is_server_error() => (&table::TOKEN_UNOBTAINABLE, told(error)),
            _ => (&table::TOKEN_REFUSED, told(error)),
        },
    }
}

/// The fault behind a failed refresh.
fn of_refresh(error: &OAuthError, request: Option<&Recorded>) -> (&'static Fault, String) {
    if let Some(refused) = refusal(error) {
        return (of_protocol_error(refused), refused.to_string());
    }
    if let Some(http) = error.http() {
        let fault = of_trouble(http.trouble()).unwrap_or(&table::REFRESH_UNREACHABLE);
        return (fault, super::way::reason(http));
    }
    match error {
        OAuthError::TooManyAttempts { .. } | OAuthError::RefreshDelayed { .. } => {
            (&table::BRAKE_ON, error.to_string())
        }
        OAuthError::Store(_) => (&settings::STORE_UNUSABLE, told(error)),
        OAuthError::LoginRequired { reason, .. } => match reason {
            LoginReason::RefreshTokenMissing => (&table::TOKEN_EXPIRED, reason.to_string()),
            LoginReason::TokenRejected => (&table::TOKEN_REJECTED_BEFORE, String::new()),
            LoginReason::NoGrant => (&table::NOT_SIGNED_IN, reason.to_string()),
            other => (&table::LOGIN_OTHER_SETTINGS, other.to_string()),
        },
        _ if request
            .and_then(seen::status)
            .is_some_and(|status| status.is_server_error()) =>
        {
            (&table::REFRESH_SERVER_ERROR, told(error))
        }
        OAuthError::RefreshFailed(_) | OAuthError::UnreadableResponse { .. } => {
            (&table::REFRESH_UNREADABLE, told(error))
        }
        other => (&table::REFRESH_ERROR_OTHER, told(other)),
    }
}

/// What the authorization server said, through every wrapping.
fn refusal(error: &OAuthError) -> Option<&ProtocolError> {
    match error {
        OAuthError::TokenEndpoint { status, error, .. } => {
            (!status.is_server_error() && !error.is_transient()).then_some(error)
        }
        OAuthError::RefreshFailed(cause) => refusal(cause),
        OAuthError::LoginRequired { reason, cause, .. } => match reason {
            LoginReason::RefreshRefused(error)
            | LoginReason::RefreshInterrupted(error)
            | LoginReason::RegistrationGone(error)
            | LoginReason::ClientRefused(error) => Some(error),
            _ => refusal(cause.as_ref()?),
        },
        _ => None,
    }
}

fn of_protocol_error(error: &ProtocolError) -> &'static Fault {
    let said = error.description.as_deref().unwrap_or_default();
    let says = |codes: &[&str]| codes.iter().any(|code| said.contains(code));
    if says(&["AADSTS9010010", "AADSTS901002"]) {
        return &table::ENTRA_RESOURCE;
    }
    if says(&["AADSTS70011", "AADSTS90009", "AADSTS900144", "AADSTS28000"]) {
        return &table::ENTRA_SCOPE;
    }
    match error.code.as_str() {
        "invalid_grant" => &table::REFRESH_TOKEN_REFUSED,
        "invalid_client" | "unauthorized_client" => &table::REFRESH_CLIENT_REFUSED,
        "invalid_scope" | "invalid_target" => &table::REFRESH_REQUEST_REFUSED,
        _ => &table::REFRESH_ERROR_OTHER,
    }
}

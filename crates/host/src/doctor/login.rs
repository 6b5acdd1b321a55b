//! What the store has of a login, compared with what the servers publish now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorkey_discovery::Discovered;
use doorkey_oauth::{LoginReason, ResourceChoice};
use doorkey_store::{Grant, Proof};

use super::asking::Asked;
use super::diagnosis::Status;
use super::engine::{Doctor, Patient, told};
use super::fault::Step;
use super::table::{server, settings, token as table};
use crate::calendar::rfc3339;

/// What the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// No token is needed, or the configuration has it.
    NotNeeded,
    /// The next request gets one by itself.
    BySelf,
    /// A token that has not expired.
    Fresh,
    /// One that has, or is about to, and can be replaced.
    Due,
    /// None that can be used.
    Unusable,
}

impl Doctor<'_> {
    pub(super) async fn login(
        &mut self,
        patient: &Patient,
        asked: Option<&Asked>,
        found: Option<&Discovered>,
    ) -> Login {
        if let Some(key) = patient.server.bearer_key() {
            self.notes
                .skip(Step::Token, format!("the token that {key} names is used"));
            return Login::NotNeeded;
        }
        self.notes.begin(Step::Token);
        let grant = match patient.tokens().grant().await {
            Ok(stored) => stored.map(|stored| stored.value),
            Err(error) => {
                let fault = match &error {
                    doorkey_oauth::Error::Store(cause) if cause.is_transient() => {
                        &settings::STORE_UNUSABLE
                    }
                    _ => &table::RECORD_UNREADABLE,
                };
                self.notes.fail(fault, None, &[("value", told(&error))]);
                return Login::Unusable;
            }
        };
        let is_open = asked.is_some_and(|asked| asked.challenges.is_none());
        match grant {
            Some(grant) => self.judge_grant(patient, &grant, found),
            None if is_open => {
                self.notes
                    .done(Status::Skipped, "the server asks for no login");
                Login::NotNeeded
            }
            None if patient.server.oauth.flow.is_unattended() => {
                self.notes
                    .ok("there is none yet; a request gets one by itself");
                Login::BySelf
            }
            // Who cannot be asked is not known to want one.
            None if asked.is_none() => {
                self.notes.done(Status::Skipped, "there is none yet");
                Login::Unusable
            }
            None => {
                self.no_grant(patient).await;
                Login::Unusable
            }
        }
    }

    async fn no_grant(&mut self, patient: &Patient) {
        // A login would come to what was found before it.
        if self.notes.is_stopped() {
            self.notes.done(Status::Skipped, "nobody has signed in yet");
            return;
        }
        // A record that could not be used counts as none, and is told.
        let problems = self.host.store().problems();
        if let Some(problem) = problems.first() {
            let value = problem.to_string();
            self.notes
                .fail(&table::RECORD_UNREADABLE, None, &[("value", value)]);
            return;
        }
        let pending = patient.tokens().pending_login().await.ok().flatten();
        let evidence = None;
        match pending {
            Some(pending) => {
                let until = rfc3339(pending.expires_at).unwrap_or_default();
                self.notes
                    .fail(&table::LOGIN_WAITING, evidence, &[("value", until)]);
            }
            None => self.notes.fail(&table::NOT_SIGNED_IN, evidence, &[]),
        }
    }

    /// What a server may repeat and nobody is to see.
    pub(super) fn keep_secrets(&mut self, grant: &Grant) {
        for secret in [
            &grant.access_token,
            &grant.refresh_token,
            &grant.client_secret,
            &grant.id_token,
        ] {
            self.notes.secrets.add(secret.as_ref());
        }
    }

    fn judge_grant(
        &mut self,
        patient: &Patient,
        grant: &Grant,
        found: Option<&Discovered>,
    ) -> Login {
        if let Some(config) = patient.tokens().config()
            && let Err(reason) = config.check(grant)
        {
            self.other_settings(grant, &reason);
            return Login::Unusable;
        }
        if let Some(found) = found {
            self.compare(patient, grant, found);
        }
        self.secret_of_client(grant);
        if grant.proof == Proof::Rejected {
            let said = grant.last_error.as_deref().map(|text| format!(": {text}"));
            let value = doorkey_http::clean_text(&said.unwrap_or_default(), 200);
            self.notes
                .fail(&table::TOKEN_REJECTED_BEFORE, None, &[("value", value)]);
            return Login::Unusable;
        }
        let left = left(grant);
        let renews = grant.refresh_token.is_some() || patient.server.oauth.flow.is_unattended();
        let how = if renews {
            "can be renewed"
        } else {
            "cannot be renewed"
        };
        match (left, renews) {
            (Some(left), _) if grant.access_token.is_some() => {
                self.notes.ok(format!("a token, {left}, {how}"));
                Login::Fresh
            }
            (_, true) => {
                self.notes
                    .ok("the token has expired and is due for a refresh");
                Login::Due
            }
            _ => {
                self.notes.fail(&table::TOKEN_EXPIRED, None, &[]);
                Login::Unusable
            }
        }
    }

    fn other_settings(&mut self, grant: &Grant, reason: &LoginReason) {
        let fault = match reason {
            LoginReason::IssuerChanged => &table::TOKEN_OTHER_ISSUER,
            LoginReason::ResourceChanged => &table::TOKEN_OTHER_RESOURCE,
            _ => &table::LOGIN_OTHER_SETTINGS,
        };
        let value = match reason {
            LoginReason::IssuerChanged => format!("it is from {}", grant.issuer),
            other => other.to_string(),
        };
        self.notes.fail(fault, None, &[("value", value)]);
    }

    /// The login was made with what the servers published then.
    fn compare(&mut self, patient: &Patient, grant: &Grant, found: &Discovered) {
        let issuer = found.server.listed.as_str();
        let clean = |text: &str| doorkey_http::clean_text(text, 300);
        if grant.issuer != issuer {
            let value = format!(
                "it names {} now, and the login is from {}",
                clean(issuer),
                clean(&grant.issuer)
            );
            self.notes
                .find(&table::TOKEN_OTHER_ISSUER, None, &[("value", value)]);
        }
        let is_auto = patient.server.resource == ResourceChoice::Auto;
        let resource = found.resource.as_str();
        if let Some(own) = grant
            .resource
            .as_deref()
            .filter(|own| is_auto && *own != resource)
        {
            let value = format!(
                "{} is published, and the login is for {}",
                clean(resource),
                clean(own)
            );
            self.notes
                .find(&table::TOKEN_OTHER_RESOURCE, None, &[("value", value)]);
        }
    }

    fn secret_of_client(&mut self, grant: &Grant) {
        let end = grant.client_secret_expires_at.filter(|end| *end > 0);
        let end = end.map(|end| UNIX_EPOCH + Duration::from_secs(end));
        if let Some(end) = end.filter(|end| *end < SystemTime::now()) {
            let value = rfc3339(end).unwrap_or_default();
            self.notes
                .find(&server::CLIENT_SECRET_EXPIRED, None, &[("value", value)]);
        }
    }
}

/// How long the access token is good for, in words; `None` when it is not any more.
fn left(grant: &Grant) -> Option<String> {
    let Some(end) = grant.expires_at else {
        return Some("its end unknown".to_owned());
    };
    let end = UNIX_EPOCH + Duration::from_secs(end);
    let left = end.duration_since(SystemTime::now()).ok()?;
    let minutes = left.as_secs() / 60;
    Some(match minutes {
        0 => format!("good for {} s", left.as_secs()),
        1..=119 => format!("good for {minutes} min"),
        _ => format!("good for {} h", minutes / 60),
    })
}

//! The examination itself: which step follows which, and what becomes of those that cannot be done.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use doorkey_http::{Origin, Recorded, Recorder, SentSecrets};
use doorkey_oauth::{QuirkExplanation, TokenSource};
use url::Url;

use super::diagnosis::{Diagnosis, Evidence, Finding, Mend, Status, StepReport, Values};
use super::fault::{Fault, Severity, Step};
use super::fill::{Subject, kept};
use super::record::Record;
use super::seen::{self, Secrets};
use super::{ExamineOptions, table};
use crate::config::ServerConfig;
use crate::error::Error;
use crate::host::{Host, Session};
use crate::target::Target;

/// Examines a server; see [`Host::diagnose`].
pub(super) async fn examine(host: &Host, server: &str, options: &ExamineOptions) -> Record {
    let mut doctor = Doctor::new(host, server, options);
    let all = Box::pin(doctor.run());
    if tokio::time::timeout(options.limit, all).await.is_err() {
        doctor.out_of_time(options.limit);
    }
    if let Some(tokens) = &doctor.tokens {
        // A refresh that was begun comes to its end, or to its limit.
        let drained = tokens.drain(DRAIN).await;
        tracing::debug!(drained = drained.is_ok(), "the examination is over");
    }
    doctor.finish()
}

/// The diagnosis where there is no host to ask with.
pub(super) fn of_host_failure(server: &str, error: &Error) -> Diagnosis {
    let mut notes = Notes::new(server);
    let fault = match error {
        Error::StoreOpen(_) | Error::Store(_) => &table::settings::STORE_UNUSABLE,
        _ => &table::settings::CONFIGURATION_WRONG,
    };
    notes.begin(Step::Configuration);
    notes.fail(fault, None, &[("value", told(error))]);
    if let Some(finding) = notes.diagnosis.findings.last_mut() {
        finding.code = Some(error.code().as_str().to_owned());
    }
    notes.finish()
}

/// One server on the couch.
pub(super) struct Doctor<'a> {
    /// The server as it was named, secrets included.
    pub(super) named: String,
    pub(super) host: &'a Host,
    pub(super) options: &'a ExamineOptions,
    pub(super) recorder: Recorder,
    pub(super) notes: Notes,
    /// The settings in force, as far as they may be shown.
    pub(super) settings: BTreeMap<String, String>,
    /// The owner of the token, once there is one.
    tokens: Option<TokenSource>,
}

/// What there is to examine a server with.
pub(super) struct Patient {
    pub(super) server: ServerConfig,
    /// With the recorded client.
    pub(super) session: Session,
}

impl Patient {
    pub(super) fn tokens(&self) -> &TokenSource {
        &self.session.tokens
    }
}

impl<'a> Doctor<'a> {
    fn new(host: &'a Host, server: &str, options: &'a ExamineOptions) -> Self {
        let mut notes = Notes::new(server);
        notes.diagnosis.account.clone_from(&options.account);
        Self {
            named: server.to_owned(),
            host,
            options,
            recorder: Recorder::new(),
            notes,
            settings: BTreeMap::new(),
            tokens: None,
        }
    }

    async fn run(&mut self) {
        let Some(patient) = self.configuration().await else {
            return;
        };
        self.tokens = Some(patient.tokens().clone());
        // Before anybody answers who might repeat them; what keeps the record from being read is told later.
        if let Ok(Some(stored)) = patient.tokens().grant().await {
            self.keep_secrets(&stored.value);
        }
        self.go(&patient).await;
        self.clock();
        self.link_quirks(&patient);
    }

    async fn go(&mut self, patient: &Patient) {
        let is_reached = self.way(patient).await;
        let asked = match is_reached {
            true => self.first_request(patient).await,
            false => None,
        };
        let found = match &asked {
            Some(asked) => self.discovery(patient, asked).await,
            None => None,
        };
        if let Some(found) = &found {
            self.capabilities(patient, found).await;
            self.client(patient, found).await;
        }
        self.quirks(patient, found.as_ref()).await;
        let login = self.login(patient, asked.as_ref(), found.as_ref()).await;
        let Some(asked) = asked else { return };
        let Some(token) = self.refresh(patient, &asked, login).await else {
            return;
        };
        self.session(patient, &asked, token).await;
    }

    fn out_of_time(&mut self, limit: Duration) {
        let values = [("value", format!("{} s", limit.as_secs()))];
        self.notes.fail(&table::session::TIME_OVER, None, &values);
    }

    fn finish(self) -> Record {
        let secrets = self.notes.secrets.clone();
        let exchanges = self.recorder.since(0);
        Record::new(self.notes.finish(), self.settings, &exchanges, &secrets)
    }

    /// The exchanges since that one.
    pub(super) fn since(&self, mark: usize) -> Vec<Recorded> {
        self.recorder.since(mark)
    }
}

/// What is written down on the way.
pub(super) struct Notes {
    pub(super) diagnosis: Diagnosis,
    pub(super) secrets: Secrets,
    /// The name to type.
    pub(super) login: String,
    pub(super) issuer: String,
    /// The authorization server as the MCP server names it.
    pub(super) listed: Option<String>,
    /// Whether it says which methods of PKCE it has: then no rule says it for it.
    pub(super) names_pkce_methods: bool,
    began: Instant,
    step: Option<(Step, Instant)>,
    stopped_by: Option<Step>,
}

impl Notes {
    fn new(server: &str) -> Self {
        // A URL may hold a user, a password or a key; it is shown without, whatever becomes of it.
        let server = &shown_server(server);
        Self {
            diagnosis: Diagnosis {
                server: server.to_owned(),
                url: None,
                account: None,
                examined_at: crate::calendar::rfc3339(SystemTime::now()).unwrap_or_default(),
                took_ms: 0,
                steps: Vec::new(),
                findings: Vec::new(),
                quirks: Vec::new(),
            },
            secrets: Secrets::default(),
            login: server.to_owned(),
            issuer: String::new(),
            listed: None,
            names_pkce_methods: false,
            began: Instant::now(),
            step: None,
            stopped_by: None,
        }
    }

    /// Names the server as it is typed.
    pub(super) fn named(&mut self, target: Target<'_>, url: &Url) {
        self.diagnosis.url = Some(seen::shown(url));
        target.server.clone_into(&mut self.diagnosis.server);
        self.login = target.arguments("");
    }

    /// Names a server that no table has: it stays the URL that it was named by.
    pub(super) fn bare(&mut self, url: &Url) {
        self.diagnosis.url = Some(seen::shown(url));
    }

    pub(super) fn begin(&mut self, step: Step) {
        self.step = Some((step, Instant::now()));
    }

    /// The step under way took that long, whenever it was begun.
    pub(super) fn took(&mut self, took: Duration) {
        if let Some((_, began)) = &mut self.step {
            *began = Instant::now().checked_sub(took).unwrap_or(*began);
        }
    }

    /// Ends the step that began last.
    pub(super) fn done(&mut self, status: Status, detail: impl Into<String>) {
        let Some((step, began)) = self.step.take() else {
            return;
        };
        let status = match (status, self.worst_of(step)) {
            (Status::Ok, Some(Severity::Warning)) => Status::Warning,
            (Status::Ok | Status::Warning, Some(Severity::Error)) => Status::Failed,
            (status, _) => status,
        };
        let mut of_step = self.diagnosis.findings.iter().filter(|it| it.step == step);
        let detail = match (detail.into(), of_step.next()) {
            (detail, Some(first)) if detail.is_empty() => first.title.clone(),
            (detail, _) => detail,
        };
        let took = (status != Status::Skipped).then(|| millis(began.elapsed()));
        self.report(step, status, detail, took);
    }

    pub(super) fn ok(&mut self, detail: impl Into<String>) {
        self.done(Status::Ok, detail);
    }

    /// A step that is not done, and why.
    pub(super) fn skip(&mut self, step: Step, because: impl Into<String>) {
        self.step = None;
        self.report(step, Status::Skipped, because.into(), None);
    }

    pub(super) fn is_at(&self, step: Step) -> bool {
        self.step.is_some_and(|(under_way, _)| under_way == step)
    }

    /// The places that the last step asked.
    pub(super) fn places(&mut self, places: Vec<String>) {
        if let Some(last) = self.diagnosis.steps.last_mut() {
            last.places = places;
        }
    }

    fn report(&mut self, step: Step, status: Status, detail: String, took_ms: Option<u64>) {
        self.diagnosis.steps.push(StepReport {
            step,
            status,
            detail,
            places: Vec::new(),
            took_ms,
            rules: step.rules().iter().map(ToString::to_string).collect(),
        });
    }

    /// Writes down a fault, and that the step under way failed by it.
    pub(super) fn fail(
        &mut self,
        fault: &'static Fault,
        evidence: Option<Evidence>,
        values: &[(&'static str, String)],
    ) {
        self.find(fault, evidence, values);
        let step = self.step.map_or(fault.step, |(step, _)| step);
        self.stopped_by.get_or_insert(step);
        if self.step.is_none() {
            self.begin(step);
        }
        self.done(Status::Failed, fault.title);
    }

    /// Writes down a fault; the step goes on.
    pub(super) fn find(
        &mut self,
        fault: &'static Fault,
        evidence: Option<Evidence>,
        values: &[(&'static str, String)],
    ) {
        let step = self.step.map_or(fault.step, |(step, _)| step);
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| {
                let value = self.secrets.cleaned(value, &SentSecrets::default(), TOLD);
                (*name, value.trim_end_matches('.').to_owned())
            })
            .collect();
        let values = self.values(evidence.as_ref(), &values);
        let account = self.diagnosis.account.as_deref();
        let url = self.diagnosis.url.as_deref();
        let subject = Subject::new(&self.diagnosis.server, account, url);
        let mut finding = Finding {
            id: fault.id.to_owned(),
            step,
            class: fault.class,
            severity: fault.severity,
            title: fault.title.to_owned(),
            means: String::new(),
            evidence,
            values: kept(&values),
            rule: String::new(),
            section: None,
            mend: Mend::default(),
            quirk: None,
            code: (!fault.code.is_empty()).then(|| fault.code.to_owned()),
        };
        subject.tell(fault, &values, &mut finding);
        if fault.severity == Severity::Error {
            self.stopped_by.get_or_insert(step);
        }
        if !self.diagnosis.findings.iter().any(|it| it.id == finding.id) {
            self.diagnosis.findings.push(finding);
        }
    }

    /// Whether something was found that keeps the server from being used.
    pub(super) fn is_stopped(&self) -> bool {
        let mut findings = self.diagnosis.findings.iter();
        findings.any(|it| it.severity == Severity::Error)
    }

    /// Names the quirk that explains a fault which was found.
    pub(super) fn of_quirk(&mut self, fault: &Fault, quirk: Option<String>) {
        let mut all = self.diagnosis.findings.iter_mut();
        if let Some(finding) = all.find(|it| it.id == fault.id) {
            finding.quirk = quirk;
        }
    }

    /// Names the quirk that a person may choose in place of what else would mend a fault which was found.
    pub(super) fn offer(
        &mut self,
        fault: &Fault,
        offer: Option<QuirkExplanation>,
        server: &ServerConfig,
    ) {
        let mut all = self.diagnosis.findings.iter_mut();
        if let (Some(offer), Some(finding)) = (offer, all.find(|it| it.id == fault.id)) {
            let line = server.quirks.choosing(&offer.quirk);
            finding.mend.config = Some(format!("[mcp_servers.{}]\n{line}", server.name));
            finding.mend.text = offer.means;
            finding.quirk = Some(offer.quirk);
        }
    }

    fn values(&self, evidence: Option<&Evidence>, own: &[(&'static str, String)]) -> Values {
        let url = self.diagnosis.url.clone().unwrap_or_default();
        let at = evidence
            .and_then(|it| it.url.clone())
            .unwrap_or_else(|| url.clone());
        let origin = Url::parse(&at).map(|url| Origin::from(&url).to_string());
        let status = evidence.and_then(|it| it.status);
        let status = status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
        let mut values = Values::from([
            ("name", self.diagnosis.server.clone()),
            ("login", self.login.clone()),
            ("issuer", self.issuer.clone()),
            ("origin", origin.unwrap_or_else(|_| at.clone())),
            ("url", url),
            ("at", at),
            ("status", status),
            ("value", String::new()),
        ]);
        values.extend(own.iter().cloned());
        values
    }

    fn worst_of(&self, step: Step) -> Option<Severity> {
        let of_step = self.diagnosis.findings.iter().filter(|it| it.step == step);
        of_step.map(|it| it.severity).min()
    }

    pub(super) fn evidence(&self, recorded: &Recorded) -> Evidence {
        seen::evidence(recorded, &self.secrets)
    }

    fn finish(mut self) -> Diagnosis {
        if self.step.is_some() {
            self.done(Status::Failed, "given up, as the time was over");
        }
        let because = match self.stopped_by {
            Some(step) => format!("the step \"{}\" failed", step.title()),
            None => "nothing asked for it".to_owned(),
        };
        let done: Vec<_> = self.diagnosis.steps.iter().map(|it| it.step).collect();
        for step in Step::ALL.into_iter().filter(|step| !done.contains(step)) {
            self.skip(step, because.clone());
        }
        let mut diagnosis = self.diagnosis;
        diagnosis.steps.sort_by_key(|it| it.step);
        // What comes first on the way is the cause of what comes later; a wrong clock is that of what goes by it.
        let by_clock = diagnosis.findings.iter().any(|it| {
            let all = [
                &table::network::TLS_EXPIRED,
                &table::network::TLS_NOT_YET_VALID,
                &table::session::DPOP_REJECTED,
            ];
            all.iter().any(|fault| fault.id == it.id)
        });
        let is_cause = |it: &Finding| by_clock && it.id == table::session::CLOCK_WRONG.id;
        diagnosis
            .findings
            .sort_by_key(|it| (!is_cause(it), it.severity, it.step));
        diagnosis.took_ms = millis(self.began.elapsed());
        diagnosis
    }
}

/// A server as it was named: a name as it is, a URL without its secrets.
fn shown_server(server: &str) -> String {
    match Url::parse(server) {
        _ if !server.contains("://") => server.to_owned(),
        Ok(url) => seen::shown(&url),
        Err(_) => "a URL that cannot be read".to_owned(),
    }
}

pub(super) fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// An error with its causes, on one line.
pub(super) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source());
    let mut lines: Vec<String> = all.map(ToString::to_string).collect();
    lines.dedup();
    doorkey_http::clean_text(&lines.join(": "), TOLD)
}

const TOLD: usize = 400;
const DRAIN: Duration = Duration::from_secs(30);

//! Every client scenario of the pinned suite, the revisions it applies to, and the checks that make a pass of it.
//!
//! The suite's own list is compared with this one, so that neither a new scenario nor a new revision goes unnoticed.

use super::checks::{Required, once, times};
use crate::failure::Violation;

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The binary that plays it.
    pub(super) client: &'static str,
    /// What the suite lists it for; [`EXTENSION`] for what belongs to no revision.
    versions: &'static [&'static str],
    required: &'static [&'static [Required]],
    required_at_newest: &'static [Required],
    /// Why it cannot pass yet.
    pub(super) not_yet: Option<&'static str>,
}

/// A scenario at one revision.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) scenario: &'static Scenario,
    pub(super) version: &'static str,
}

/// A scenario as the suite lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) versions: Vec<String>,
}

/// Everything there is to run.
pub(super) fn runs() -> Vec<Run> {
    let of = |scenario: &'static Scenario| {
        let versions = scenario.revisions().iter();
        versions.map(move |version| Run { scenario, version })
    };
    SCENARIOS.iter().flat_map(of).collect()
}

/// Where this list and the suite's disagree.
pub(super) fn disagreements(
    scenarios: &[Scenario],
    out_of_scope: &[(&str, &str)],
    listed: &[Listed],
) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut found = |name: &str, problem: String, instead| {
        broken.push(Violation::new(LAW, name, problem, instead));
    };
    for suite in listed {
        let name = suite.name.as_str();
        if out_of_scope.iter().any(|(known, _)| *known == name) {
            continue;
        }
        match scenarios.iter().find(|ours| ours.name == name) {
            None => found(name, "is new".to_owned(), "say what makes a pass of it"),
            Some(ours) if ours.versions != suite.versions => {
                let problem = format!("is for {:?}, not {:?}", suite.versions, ours.versions);
                found(name, problem, "correct its revisions");
            }
            Some(_) => {}
        }
    }
    let ours = scenarios.iter().map(|ours| ours.name);
    for name in ours.chain(out_of_scope.iter().map(|(name, _)| *name)) {
        if !listed.iter().any(|suite| suite.name == name) {
            found(name, "is not in the suite".to_owned(), "remove it");
        }
    }
    broken
}

impl Scenario {
    /// One that is about authorization.
    const fn auth(
        name: &'static str,
        versions: &'static [&'static str],
        required: &'static [&'static [Required]],
    ) -> Self {
        Self {
            name,
            client: "conformance-client",
            versions,
            required,
            required_at_newest: &[],
            not_yet: None,
        }
    }

    /// One that is about the wire alone.
    const fn wire(
        name: &'static str,
        versions: &'static [&'static str],
        required: &'static [&'static [Required]],
    ) -> Self {
        Self {
            client: "conformance-wire",
            ..Self::auth(name, versions, required)
        }
    }

    /// With more checks at the newest revision.
    const fn at_newest(mut self, required: &'static [Required]) -> Self {
        self.required_at_newest = required;
        self
    }

    /// One that cannot pass yet. It runs all the same, and has to fail.
    const fn not_yet(mut self, reason: &'static str) -> Self {
        self.not_yet = Some(reason);
        self
    }

    /// An extension belongs to no revision and holds on both wires.
    fn revisions(&self) -> &'static [&'static str] {
        if self.is_extension() {
            BOTH
        } else {
            self.versions
        }
    }

    pub(super) fn is_extension(&self) -> bool {
        self.versions == EXTENSION
    }
}

impl Run {
    /// The checks that have to pass.
    pub(super) fn required(&self) -> impl Iterator<Item = &'static Required> {
        let newest = if self.version == NEWEST {
            self.scenario.required_at_newest
        } else {
            &[]
        };
        self.scenario
            .required
            .iter()
            .copied()
            .flatten()
            .chain(newest)
    }
}

const LAW: &str = "every client scenario of the suite is known";

const OLDEST: &[&str] = &["2025-03-26"];
const STABLE: &[&str] = &["2025-11-25"];
const TWO: &[&str] = &["2025-06-18", "2025-11-25"];
const THREE: &[&str] = &["2025-06-18", "2025-11-25", NEWEST];
const BOTH: &[&str] = &["2025-11-25", NEWEST];
const NEW: &[&str] = &[NEWEST];
const EXTENSION: &[&str] = &["extension"];
const NEWEST: &str = "2026-07-28";

/// The resource metadata was asked for where RFC 9728 puts it.
const METADATA: &[Required] = &[once("prm-pathbased-requested")];
const REGISTERED: &[Required] = &[once("client-registration")];
const NATIVE: &[Required] = &[once("sep-837-application-type-present")];
/// The authorization server was found, and a page opened with PKCE.
const ASKED: &[Required] = &[
    once("authorization-server-metadata"),
    once("authorization-request"),
    once("pkce-code-challenge-sent"),
    once("pkce-s256-method-used"),
];
const EXCHANGED: &[Required] = &[
    once("token-request"),
    once("pkce-code-verifier-sent"),
    once("pkce-verifier-matches-challenge"),
];
/// Tools were listed and one was called.
const USED: &[Required] = &[times(2, "valid-bearer-token")];
/// The resource went with every leg, as it was published (RFC 8707).
const RESOURCE: &[Required] = &[
    once("resource-parameter-in-authorization"),
    once("resource-parameter-in-token"),
    once("resource-parameter-valid-uri"),
    once("resource-parameter-consistency"),
    once("resource-parameter-matches-prm"),
];
const METHOD: &[Required] = &[once("token-endpoint-auth-method")];
const NO_CREDENTIALS_YET: &str = "the library has no client credentials grant";
const NO_ENTERPRISE_YET: &str = "the library has no enterprise-managed authorization";
const NO_PROOF_YET: &str = "the library has no DPoP";
const NO_WORKLOAD_YET: &str = "the library has no workload identity";

/// The checks that each kind of DPoP client passes.
const PROOF: &[Required] = &[
    once("sep-1932-client-token-request-proof"),
    once("sep-1932-client-dpop-auth-scheme"),
    once("sep-1932-client-fresh-proof"),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    // Discovery.
    Scenario::auth(
        "auth/metadata-default",
        BOTH,
        &[METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/metadata-var1",
        BOTH,
        &[METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/metadata-var2",
        BOTH,
        &[REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/metadata-var3",
        BOTH,
        &[REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/2025-03-26-oauth-metadata-backcompat",
        OLDEST,
        &[REGISTERED, ASKED, EXCHANGED, USED],
    ),
    Scenario::auth(
        "auth/2025-03-26-oauth-endpoint-fallback",
        OLDEST,
        &[
            REGISTERED,
            &[once("authorization-request"), once("token-request")],
            USED,
        ],
    ),
    Scenario::auth(
        "auth/resource-mismatch",
        NEW,
        &[METADATA, &[once("resource-mismatch-rejected")]],
    ),
    Scenario::auth(
        "auth/metadata-issuer-mismatch",
        NEW,
        &[
            METADATA,
            &[
                once("authorization-server-metadata"),
                once("sep-2468-client-validate-metadata-issuer"),
            ],
        ],
    ),
    // Registration and client authentication.
    Scenario::auth(
        "auth/basic-cimd",
        BOTH,
        &[
            METADATA,
            ASKED,
            EXCHANGED,
            USED,
            &[once("cimd-client-id-used")],
        ],
    ),
    Scenario::auth(
        "auth/pre-registration",
        BOTH,
        &[
            METADATA,
            ASKED,
            EXCHANGED,
            USED,
            &[once("pre-registration-auth")],
        ],
    ),
    Scenario::auth(
        "auth/token-endpoint-auth-basic",
        THREE,
        &[
            METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE, METHOD,
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/token-endpoint-auth-post",
        THREE,
        &[
            METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE, METHOD,
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/token-endpoint-auth-none",
        THREE,
        &[
            METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE, METHOD,
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/authorization-server-migration",
        NEW,
        &[
            METADATA,
            ASKED,
            EXCHANGED,
            USED,
            NATIVE,
            &[
                times(2, "client-registration"),
                times(2, "authorization-request"),
                times(2, "token-request"),
                once("sep-2352-reregister-on-as-change"),
                once("sep-2352-no-reuse-on-as-change"),
                once("sep-2352-no-cross-as-credential-reuse"),
            ],
        ],
    ),
    // Scopes.
    Scenario::auth(
        "auth/scope-from-www-authenticate",
        BOTH,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            &[once("scope-from-www-authenticate")],
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/scope-from-scopes-supported",
        BOTH,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            &[once("scope-from-scopes-supported")],
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/scope-omitted-when-undefined",
        BOTH,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            &[once("scope-omitted-when-undefined")],
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/scope-step-up",
        BOTH,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            &[
                times(2, "authorization-request"),
                times(2, "token-request"),
                once("scope-step-up-initial"),
                once("scope-step-up-escalation"),
            ],
        ],
    )
    .at_newest(&[
        once("sep-837-application-type-present"),
        once("sep-2350-scope-union-on-reauth"),
    ]),
    Scenario::auth(
        "auth/scope-retry-limit",
        BOTH,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            &[once("scope-retry-limit")],
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/offline-access-scope",
        NEW,
        &[
            METADATA,
            ASKED,
            EXCHANGED,
            USED,
            &[once("sep-2207-offline-access-requested")],
        ],
    ),
    Scenario::auth(
        "auth/offline-access-not-supported",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            NATIVE,
            &[once("sep-2207-offline-access-not-requested")],
        ],
    ),
    // The issuer in the authorization response.
    Scenario::auth(
        "auth/iss-supported",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            &[once("sep-2468-client-compare-iss-supported")],
        ],
    ),
    Scenario::auth(
        "auth/iss-not-advertised",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            EXCHANGED,
            USED,
            &[once("sep-2468-client-proceed-no-iss")],
        ],
    ),
    Scenario::auth(
        "auth/iss-supported-missing",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            &[once("sep-2468-client-reject-missing-iss")],
        ],
    ),
    Scenario::auth(
        "auth/iss-wrong-issuer",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            &[once("sep-2468-client-compare-iss-supported")],
        ],
    ),
    Scenario::auth(
        "auth/iss-unexpected",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            &[once("sep-2468-client-compare-iss-unadvertised")],
        ],
    ),
    Scenario::auth(
        "auth/iss-normalized",
        NEW,
        &[
            METADATA,
            REGISTERED,
            ASKED,
            &[once("sep-2468-client-no-normalization")],
        ],
    ),
    // Extensions.
    Scenario::auth(
        "auth/client-credentials-jwt",
        EXTENSION,
        &[USED, &[once("client-credentials-jwt-verified")]],
    )
    .not_yet(NO_CREDENTIALS_YET),
    Scenario::auth(
        "auth/client-credentials-basic",
        EXTENSION,
        &[USED, &[once("client-credentials-basic-auth")]],
    )
    .not_yet(NO_CREDENTIALS_YET),
    Scenario::auth(
        "auth/enterprise-managed-authorization",
        EXTENSION,
        &[
            USED,
            &[
                once("complete-flow-token-exchange"),
                once("complete-flow-jwt-bearer"),
            ],
        ],
    )
    .not_yet(NO_ENTERPRISE_YET),
    Scenario::auth("auth/dpop", EXTENSION, &[REGISTERED, PROOF]).not_yet(NO_PROOF_YET),
    Scenario::auth(
        "auth/dpop-nonce",
        EXTENSION,
        &[
            REGISTERED,
            PROOF,
            &[
                once("sep-1932-client-as-nonce"),
                once("sep-1932-client-rs-nonce"),
            ],
        ],
    )
    .not_yet(NO_PROOF_YET),
    Scenario::auth(
        "auth/wif-jwt-bearer",
        EXTENSION,
        &[USED, &[once("wif-assertion-verified")]],
    )
    .not_yet(NO_WORKLOAD_YET),
    // The wire.
    Scenario::wire("initialize", TWO, &[&[once("mcp-client-initialization")]]),
    Scenario::wire(
        "tools_call",
        THREE,
        &[&[once("tool-add-numbers"), once("wire-schema-valid")]],
    ),
    Scenario::wire(
        "elicitation-sep1034-client-defaults",
        STABLE,
        &[&[
            once("client-elicitation-sep1034-string-default"),
            once("client-elicitation-sep1034-integer-default"),
            once("client-elicitation-sep1034-number-default"),
            once("client-elicitation-sep1034-enum-default"),
            once("client-elicitation-sep1034-boolean-default"),
        ]],
    ),
    Scenario::wire(
        "sse-retry",
        STABLE,
        &[&[
            once("client-sse-graceful-reconnect"),
            once("client-sse-retry-timing"),
            once("client-sse-last-event-id"),
        ]],
    ),
    // Roots and sampling are deprecated, and this client declares neither: their checks are skipped.
    Scenario::wire(
        "request-metadata",
        NEW,
        &[&[
            once("sep-2575-http-client-sends-version-header"),
            once("sep-2575-client-populates-meta"),
            once("sep-2575-client-sends-client-info"),
            once("sep-2575-http-version-header-matches-meta"),
            once("sep-2575-client-declares-elicitation-capability"),
            once("sep-2575-client-retry-supported-version"),
        ]],
    ),
    // `Mcp-Method` on the list and the use of tools, resources and prompts, `Mcp-Name` on each use.
    Scenario::wire(
        "http-standard-headers",
        NEW,
        &[&[times(9, "sep-2243-client-includes-standard-headers")]],
    ),
    Scenario::wire(
        "http-custom-headers",
        NEW,
        &[&[
            once("sep-2243-client-supports-custom-headers"),
            times(6, "sep-2243-client-mirrors-designated-params"),
            times(3, "sep-2243-client-encode-values"),
            times(7, "sep-2243-client-base64-unsafe"),
            once("sep-2243-client-omit-null"),
        ]],
    ),
    Scenario::wire(
        "http-invalid-tool-headers",
        NEW,
        &[&[
            once("sep-2243-client-reject-invalid-tool"),
            times(4, "sep-2243-x-mcp-header-charset"),
            once("sep-2243-x-mcp-header-not-empty"),
            times(4, "sep-2243-x-mcp-header-primitive-only"),
            times(2, "sep-2243-x-mcp-header-unique"),
        ]],
    ),
    Scenario::wire(
        "sep-2322-client-request-state",
        NEW,
        &[&[
            once("sep-2322-client-request-state-echoed"),
            once("sep-2322-client-jsonrpc-id-different"),
            once("sep-2322-client-no-state-omitted"),
            once("sep-2322-client-parallel-isolation"),
            once("sep-2322-default-result-type-complete"),
        ]],
    ),
    Scenario::wire(
        "json-schema-ref-no-deref",
        NEW,
        &[&[once("sep-2106-no-network-ref-deref")]],
    ),
    Scenario::wire(
        "json-schema-2020-12-preservation",
        BOTH,
        &[&[
            once("json-schema-2020-12-client-tool-found"),
            once("json-schema-2020-12-client-echo-completed"),
            once("json-schema-2020-12-client-$schema-preserved"),
            once("json-schema-2020-12-client-$defs-preserved"),
            once("json-schema-2020-12-client-additionalProperties-preserved"),
            once("sep-2106-client-composition-keywords-preserved"),
            once("sep-2106-client-conditional-keywords-preserved"),
            once("sep-2106-client-anchor-keyword-preserved"),
            once("wire-schema-valid"),
        ]],
    ),
];

/// Scenarios that are nobody's business here, and why. They pass without a single check, so running them shows nothing.
pub(super) const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("sep-2640-client-no-prefetch", SKILLS),
    ("sep-2640-client-verify-digest", SKILLS),
    ("sep-2640-client-verify-size", SKILLS),
    ("sep-2640-client-verify-frontmatter", SKILLS),
];

const SKILLS: &str = "about skills, which are the business of an agent";

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<Listed> {
        let ours = SCENARIOS.iter().map(|ours| Listed {
            name: ours.name.to_owned(),
            versions: ours.versions.iter().map(|v| (*v).to_owned()).collect(),
        });
        let others = OUT_OF_SCOPE.iter().map(|(name, _)| Listed {
            name: (*name).to_owned(),
            versions: vec!["extension".to_owned()],
        });
        ours.chain(others).collect()
    }

    fn against(listed: &[Listed]) -> Vec<String> {
        let broken = disagreements(SCENARIOS, OUT_OF_SCOPE, listed);
        broken.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_suite_and_this_list_agree_or_it_is_said_where_not() {
        assert_eq!(against(&listed()), [] as [String; 0]);

        let mut gone = listed();
        gone.retain(|suite| suite.name != "sse-retry");
        assert!(against(&gone)[0].starts_with("sse-retry: is not in the suite"));

        let mut unscoped = listed();
        unscoped.pop();
        assert!(against(&unscoped)[0].contains("is not in the suite"));

        let mut new = listed();
        new.push(Listed {
            name: "auth/par".to_owned(),
            versions: vec![NEWEST.to_owned()],
        });
        assert!(against(&new)[0].starts_with("auth/par: is new"));

        let mut wider = listed();
        wider[0].versions.push("2027-01-01".to_owned());
        let said = against(&wider);
        assert!(said[0].contains("2027-01-01"), "{said:?}");
    }

    #[test]
    fn every_scenario_asks_for_a_check_and_runs_at_every_revision() {
        for run in runs() {
            assert!(run.required().count() > 0, "{}", run.scenario.name);
        }
        let at = |version: &str| {
            let runs = runs();
            let auth = |run: &&Run| run.scenario.client == "conformance-client";
            let extension = |run: &&Run| run.scenario.is_extension();
            let here = || runs.iter().filter(|run| run.version == version);
            (
                here().filter(|run| !extension(run)).count(),
                here().filter(|run| auth(run) && !extension(run)).count(),
                here().filter(extension).count(),
            )
        };
        assert_eq!(at("2025-03-26"), (2, 2, 0));
        assert_eq!(at("2025-06-18"), (5, 3, 0));
        assert_eq!(at("2025-11-25"), (19, 14, 6));
        assert_eq!(at("2026-07-28"), (33, 25, 6));
    }

    #[test]
    fn the_newest_revision_asks_for_more() {
        let at = |version| Run {
            scenario: &SCENARIOS[0],
            version,
        };
        let newest = at(NEWEST).required().count();
        assert_eq!(newest, at("2025-11-25").required().count() + 1);
    }
}

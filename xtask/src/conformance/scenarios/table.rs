//! Every client scenario of the pinned suite.

use super::{BOTH, EXTENSION, NEWEST, Scenario};
use crate::conformance::checks::{Required, once, times};

pub(crate) const SCENARIOS: &[Scenario] = &[
    // Discovery.
    Scenario::auth("auth/metadata-default", BOTH, SIGNED_IN, RESOURCE).at_newest(NATIVE),
    Scenario::auth("auth/metadata-var1", BOTH, SIGNED_IN, RESOURCE).at_newest(NATIVE),
    Scenario::auth("auth/metadata-var2", BOTH, SIGNED_IN_ELSEWHERE, RESOURCE).at_newest(NATIVE),
    Scenario::auth("auth/metadata-var3", BOTH, SIGNED_IN_ELSEWHERE, RESOURCE).at_newest(NATIVE),
    Scenario::auth(
        "auth/2025-03-26-oauth-metadata-backcompat",
        OLDEST,
        SIGNED_IN_ELSEWHERE,
        &[],
    ),
    Scenario::auth(
        "auth/2025-03-26-oauth-endpoint-fallback",
        OLDEST,
        &[REGISTERED, USED],
        &[once("authorization-request"), once("token-request")],
    ),
    Scenario::auth(
        "auth/resource-mismatch",
        NEW,
        &[METADATA],
        &[once("resource-mismatch-rejected")],
    ),
    Scenario::auth(
        "auth/metadata-issuer-mismatch",
        NEW,
        &[METADATA],
        &[
            once("authorization-server-metadata"),
            once("sep-2468-client-validate-metadata-issuer"),
        ],
    ),
    // Registration and client authentication.
    Scenario::auth(
        "auth/basic-cimd",
        BOTH,
        SIGNED_IN_AS_KNOWN,
        &[once("cimd-client-id-used")],
    ),
    Scenario::auth(
        "auth/pre-registration",
        BOTH,
        SIGNED_IN_AS_KNOWN,
        &[once("pre-registration-auth")],
    ),
    Scenario::auth(
        "auth/token-endpoint-auth-basic",
        THREE,
        &[METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
        &[once("token-endpoint-auth-method")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/token-endpoint-auth-post",
        THREE,
        &[METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
        &[once("token-endpoint-auth-method")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/token-endpoint-auth-none",
        THREE,
        &[METADATA, REGISTERED, ASKED, EXCHANGED, USED, RESOURCE],
        &[once("token-endpoint-auth-method")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/authorization-server-migration",
        NEW,
        SIGNED_IN_TWICE,
        &[
            times(2, "client-registration"),
            once("sep-2352-reregister-on-as-change"),
            once("sep-2352-no-reuse-on-as-change"),
            once("sep-2352-no-cross-as-credential-reuse"),
        ],
    )
    .at_newest(NATIVE),
    // Scopes.
    Scenario::auth(
        "auth/scope-from-www-authenticate",
        BOTH,
        SIGNED_IN,
        &[once("scope-from-www-authenticate")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/scope-from-scopes-supported",
        BOTH,
        SIGNED_IN,
        &[once("scope-from-scopes-supported")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/scope-omitted-when-undefined",
        BOTH,
        SIGNED_IN,
        &[once("scope-omitted-when-undefined")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/scope-step-up",
        BOTH,
        SIGNED_IN_TWICE,
        &[
            once("scope-step-up-initial"),
            once("scope-step-up-escalation"),
        ],
    )
    .at_newest(&[
        once("sep-837-application-type-present"),
        once("sep-2350-scope-union-on-reauth"),
    ]),
    Scenario::auth(
        "auth/scope-retry-limit",
        BOTH,
        &[METADATA, REGISTERED, ASKED, EXCHANGED],
        &[once("scope-retry-limit")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/offline-access-scope",
        NEW,
        SIGNED_IN_AS_KNOWN,
        &[once("sep-2207-offline-access-requested")],
    ),
    Scenario::auth(
        "auth/offline-access-not-supported",
        NEW,
        SIGNED_IN,
        &[once("sep-2207-offline-access-not-requested")],
    )
    .at_newest(NATIVE),
    // The issuer in the authorization response.
    Scenario::auth(
        "auth/iss-supported",
        NEW,
        SIGNED_IN,
        &[once("sep-2468-client-compare-iss-supported")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/iss-not-advertised",
        NEW,
        SIGNED_IN,
        &[once("sep-2468-client-proceed-no-iss")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/iss-supported-missing",
        NEW,
        STOPPED,
        &[once("sep-2468-client-reject-missing-iss")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/iss-wrong-issuer",
        NEW,
        STOPPED,
        &[once("sep-2468-client-compare-iss-supported")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/iss-unexpected",
        NEW,
        STOPPED,
        &[once("sep-2468-client-compare-iss-unadvertised")],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/iss-normalized",
        NEW,
        STOPPED,
        &[once("sep-2468-client-no-normalization")],
    )
    .at_newest(NATIVE),
    // Extensions. Of what would be wrong with a grant the suite tells only when it is.
    Scenario::auth(
        "auth/client-credentials-jwt",
        EXTENSION,
        GRANTED,
        &[once("client-credentials-jwt-verified")],
    ),
    Scenario::auth(
        "auth/client-credentials-basic",
        EXTENSION,
        GRANTED,
        &[once("client-credentials-basic-auth")],
    ),
    Scenario::auth(
        "auth/enterprise-managed-authorization",
        EXTENSION,
        GRANTED,
        &[
            once("complete-flow-token-exchange"),
            once("complete-flow-jwt-bearer"),
        ],
    ),
    Scenario::auth("auth/dpop", EXTENSION, BOUND, &[]).at_newest(NATIVE),
    Scenario::auth(
        "auth/dpop-nonce",
        EXTENSION,
        BOUND,
        &[
            once("sep-1932-client-as-nonce"),
            once("sep-1932-client-rs-nonce"),
        ],
    )
    .at_newest(NATIVE),
    Scenario::auth(
        "auth/wif-jwt-bearer",
        EXTENSION,
        GRANTED,
        &[once("wif-assertion-verified")],
    ),
    // The wire.
    Scenario::wire("initialize", TWO, &[once("mcp-client-initialization")]),
    Scenario::wire(
        "tools_call",
        THREE,
        &[once("tool-add-numbers"), once("wire-schema-valid")],
    ),
    Scenario::wire(
        "elicitation-sep1034-client-defaults",
        STABLE,
        &[
            once("client-elicitation-sep1034-string-default"),
            once("client-elicitation-sep1034-integer-default"),
            once("client-elicitation-sep1034-number-default"),
            once("client-elicitation-sep1034-enum-default"),
            once("client-elicitation-sep1034-boolean-default"),
        ],
    ),
    Scenario::wire(
        "sse-retry",
        STABLE,
        &[
            once("client-sse-graceful-reconnect"),
            once("client-sse-retry-timing"),
            once("client-sse-last-event-id"),
        ],
    ),
    // Roots and sampling are deprecated, and this client declares neither: their checks are skipped.
    Scenario::wire(
        "request-metadata",
        NEW,
        &[
            once("sep-2575-http-client-sends-version-header"),
            once("sep-2575-client-populates-meta"),
            once("sep-2575-client-sends-client-info"),
            once("sep-2575-http-version-header-matches-meta"),
            once("sep-2575-client-declares-elicitation-capability"),
            once("sep-2575-client-retry-supported-version"),
        ],
    ),
    // `Mcp-Method` on the list and the use of tools, resources and prompts, `Mcp-Name` on each use.
    Scenario::wire(
        "http-standard-headers",
        NEW,
        &[times(9, "sep-2243-client-includes-standard-headers")],
    ),
    Scenario::wire(
        "http-custom-headers",
        NEW,
        &[
            once("sep-2243-client-supports-custom-headers"),
            times(6, "sep-2243-client-mirrors-designated-params"),
            times(3, "sep-2243-client-encode-values"),
            times(7, "sep-2243-client-base64-unsafe"),
            once("sep-2243-client-omit-null"),
        ],
    ),
    Scenario::wire(
        "http-invalid-tool-headers",
        NEW,
        &[
            once("sep-2243-client-reject-invalid-tool"),
            times(4, "sep-2243-x-mcp-header-charset"),
            once("sep-2243-x-mcp-header-not-empty"),
            times(4, "sep-2243-x-mcp-header-primitive-only"),
            times(2, "sep-2243-x-mcp-header-unique"),
        ],
    ),
    Scenario::wire(
        "sep-2322-client-request-state",
        NEW,
        &[
            once("sep-2322-client-request-state-echoed"),
            once("sep-2322-client-jsonrpc-id-different"),
            once("sep-2322-client-no-state-omitted"),
            once("sep-2322-client-parallel-isolation"),
            once("sep-2322-default-result-type-complete"),
        ],
    ),
    Scenario::wire(
        "json-schema-ref-no-deref",
        NEW,
        &[once("sep-2106-no-network-ref-deref")],
    ),
    Scenario::wire(
        "json-schema-2020-12-preservation",
        BOTH,
        &[
            once("json-schema-2020-12-client-tool-found"),
            once("json-schema-2020-12-client-echo-completed"),
            once("json-schema-2020-12-client-$schema-preserved"),
            once("json-schema-2020-12-client-$defs-preserved"),
            once("json-schema-2020-12-client-additionalProperties-preserved"),
            once("sep-2106-client-composition-keywords-preserved"),
            once("sep-2106-client-conditional-keywords-preserved"),
            once("sep-2106-client-anchor-keyword-preserved"),
            once("wire-schema-valid"),
        ],
    ),
];

/// Scenarios that are nobody's business here, and why. They pass without a single check, so running them shows nothing.
pub(crate) const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("sep-2640-client-no-prefetch", SKILLS),
    ("sep-2640-client-verify-digest", SKILLS),
    ("sep-2640-client-verify-size", SKILLS),
    ("sep-2640-client-verify-frontmatter", SKILLS),
];

const SKILLS: &str = "about skills, which are the business of an agent";

const OLDEST: &[&str] = &["2025-03-26"];
const STABLE: &[&str] = &["2025-11-25"];
const TWO: &[&str] = &["2025-06-18", "2025-11-25"];
const THREE: &[&str] = &["2025-06-18", "2025-11-25", NEWEST];
const NEW: &[&str] = &[NEWEST];

/// From the challenge to the second authorized call.
const SIGNED_IN: &[&[Required]] = &[METADATA, REGISTERED, ASKED, EXCHANGED, USED];
/// The same where the resource metadata is not at its first place, or is not there at all.
const SIGNED_IN_ELSEWHERE: &[&[Required]] = &[REGISTERED, ASKED, EXCHANGED, USED];
/// The same with a client that need not register.
const SIGNED_IN_AS_KNOWN: &[&[Required]] = &[METADATA, ASKED, EXCHANGED, USED];
/// The same with a second authorization on the way.
const SIGNED_IN_TWICE: &[&[Required]] = &[METADATA, REGISTERED, ASKED, EXCHANGED, AGAIN, USED];
/// A page was opened, and what came back was not believed.
const STOPPED: &[&[Required]] = &[METADATA, REGISTERED, ASKED];

/// A token was had without a page, and used.
const GRANTED: &[&[Required]] = &[METADATA, ASKED_ITSELF, USED];
/// A token was had that is bound to a key. The suite counts no uses of such.
const BOUND: &[&[Required]] = &[METADATA, REGISTERED, ASKED, EXCHANGED, PROOF];

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
/// The authorization server was found, and asked for a token.
const ASKED_ITSELF: &[Required] = &[once("authorization-server-metadata"), once("token-request")];
const EXCHANGED: &[Required] = &[
    once("token-request"),
    once("pkce-code-verifier-sent"),
    once("pkce-verifier-matches-challenge"),
];
const AGAIN: &[Required] = &[times(2, "authorization-request"), times(2, "token-request")];
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
/// What every DPoP client has to show.
const PROOF: &[Required] = &[
    once("sep-1932-client-token-request-proof"),
    once("sep-1932-client-dpop-auth-scheme"),
    once("sep-1932-client-fresh-proof"),
];

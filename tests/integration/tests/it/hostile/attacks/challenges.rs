//! Challenges that are too many, too long, broken, or lead somewhere else.

use doorkey_testkit::{Fault, Raw};

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    stage::Stage,
};

/// The lines of the header.
type Lines = fn(&Stage) -> Vec<String>;

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, verdict, lines: Lines| {
        Case::new(
            Leg::Challenge,
            Class::Challenge,
            name,
            verdict,
            move |stage, leg| {
                let lines = lines(stage).into_iter();
                let lines = lines.map(|line| ("www-authenticate".to_owned(), line));
                let fault = Fault::Status(401, lines.collect(), "who are you?\n".to_owned());
                let rule = leg.rule().expect("a request");
                stage.fault(leg, rule.respond(fault));
            },
        )
    };
    use Verdict::{Refused, Works};
    let mut cases = vec![
        case("none", Works, |_| Vec::new()),
        case("ninety, the right one last", Works, |stage| {
            let mut lines: Vec<_> = (0..90)
                .map(|at| format!("Scheme{at} realm=\"{at}\""))
                .collect();
            lines.push(right(stage));
            lines
        }),
        case("a hundred", Refused, |stage| {
            let mut lines: Vec<_> = (0..100).map(|at| format!("Scheme{at}")).collect();
            lines.push(right(stage));
            lines
        }),
        case("32 KiB of text before the right one", Works, |stage| {
            vec![
                format!("Basic realm=\"{}\"", "x".repeat(32 * 1024)),
                right(stage),
            ]
        }),
        case("quotes that do not end", Works, |stage| {
            vec![
                "Bearer realm=\"never ends, resource_metadata=".to_owned(),
                right(stage),
            ]
        }),
        case("two of Bearer, one of them foreign", Refused, |stage| {
            let foreign = stage.elsewhere.url();
            vec![
                format!("Bearer resource_metadata=\"javascript:alert(1)\""),
                format!("Bearer resource_metadata=\"{foreign}/m\""),
            ]
        }),
        case("a document that is a script", Refused, |_| {
            at("javascript:alert(1)")
        }),
        case("a document that is a file", Refused, |_| {
            at("file:///etc/passwd")
        }),
        case("a document in plain http", Refused, |_| {
            at("http://mcp.test/m")
        }),
        case("a document with a user", Refused, |_| {
            at("https://a:b@mcp.test/m")
        }),
        case("a document on loopback", Refused, |stage| {
            at(&stage.trap("https", "127.0.0.1"))
        }),
        case("a document on loopback in plain http", Refused, |stage| {
            at(&stage.trap("http", "127.0.0.1"))
        }),
        case("a document by a name on loopback", Refused, |stage| {
            at(&stage.trap("https", "trap.test"))
        }),
        case("a document that is localhost", Refused, |stage| {
            at(&stage.trap("https", "localhost"))
        }),
        case("a document on an intranet", Refused, |_| {
            at("https://10.0.0.1/m")
        }),
        case("a document that is cloud metadata", Refused, |_| {
            at("https://169.254.169.254/latest")
        }),
        case("a document at no address", Refused, |_| at("not a URL")),
        case("two documents in one challenge", Works, |stage| {
            let foreign = stage.elsewhere.url();
            vec![format!(
                "Bearer resource_metadata=\"{foreign}/a\", resource_metadata=\"{foreign}/b\""
            )]
        }),
        case("an error that writes to the terminal", Works, |stage| {
            let text = "error=\"invalid_token\", error_description=\"%1b[31m \\\u{9b}31m\"";
            vec![format!("{}, {text}", right(stage))]
        }),
        case("a secret of the request in the realm", Works, |stage| {
            let secret = super::super::stage::RESOURCE_SECRET;
            vec![format!("{}, realm=\"{secret}\"", right(stage))]
        }),
        case("a scope of ten thousand words", Works, |stage| {
            let words: Vec<_> = (0..10_000).map(|at| format!("s{at}")).collect();
            vec![format!("{}, scope=\"{}\"", right(stage), words.join(" "))]
        }),
        case("a scope of a thousand words", Works, |stage| {
            let words: Vec<_> = (0..1000).map(|at| format!("s{at}")).collect();
            vec![format!("{}, scope=\"{}\"", right(stage), words.join(" "))]
        }),
        case("a document of somebody else", Refused, |stage| {
            let foreign = stage.elsewhere.url();
            at(&format!("{foreign}/.well-known/oauth-authorization-server"))
        })
        .elsewhere(),
    ];
    cases.extend(raw_cases());
    cases
}

/// What no server of ours would write.
fn raw_cases() -> Vec<Case> {
    let case = |name: &str, verdict, field: &'static [u8]| {
        let case = Case::new(
            Leg::Challenge,
            Class::Challenge,
            name,
            verdict,
            move |stage, leg| {
                let head = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n";
                let bytes = [&head[..], field, b"\r\n\r\n"].concat();
                let rule = leg.rule().expect("a request");
                stage.fault(leg, rule.respond(Fault::Raw(Raw::new(bytes))));
            },
        );
        case.http1()
    };
    use Verdict::{Passing, Works};
    vec![
        case("a NUL", Passing, b"www-authenticate: Bearer realm=\"a\0b\""),
        case(
            "an escape",
            Passing,
            b"www-authenticate: Bearer realm=\"a\x1b[31mb\"",
        ),
        case(
            "a folded line",
            Passing,
            b"www-authenticate: Bearer realm=\"a\r\n b\"",
        ),
        case(
            "bytes that are no text",
            Works,
            b"www-authenticate: Bearer realm=\"\xff\xfe\"",
        ),
        case(
            "a bare carriage return",
            Passing,
            b"www-authenticate: Bearer realm=\"a\rb\"",
        ),
    ]
}

/// The challenge as the server gives it properly.
fn right(stage: &Stage) -> String {
    let origin = stage.mcp.origin();
    format!("Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\"")
}

fn at(url: &str) -> Vec<String> {
    vec![format!("Bearer resource_metadata=\"{url}\"")]
}

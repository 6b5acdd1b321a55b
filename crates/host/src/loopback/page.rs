//! The page a browser shows at the end: fixed text, no script, nothing from elsewhere, nothing of the request in it.

use doorkey_http::clean_text;

/// What the page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page<'a> {
    /// The login goes on in the program.
    Accepted,
    /// The callback does not belong to the login that waits.
    Ignored,
    /// The callback ended the login. The message is shown cleaned and escaped.
    Refused(&'a str),
    /// No verdict in time.
    SeeProgram,
    /// The login is over already.
    Over,
    /// A callback inside another page. In a frame the browser shows none of it, in an `object` or by hand some do.
    Embedded,
    /// The right place, reached in another way than by an address.
    OtherMethod,
    /// Not a callback at all.
    NotHere,
}

/// The login that the pages speak of. Anybody on the machine can ask for a page: only those that an answer with the right
/// `state` gets say what this holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    /// The MCP server, as far as it is known.
    pub(super) server: Option<String>,
    /// What a person types to start the login again.
    pub(super) again: Option<String>,
}

/// Styles of the page itself and an empty icon, so that the browser asks for none; nothing else from anywhere.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn render(page: Page<'_>, login: &Login) -> String {
    let (title, happened, todo) = (title(page), happened(page, login), todo(page));
    let said = match page {
        Page::Refused(message) => format!(
            "<p>This is what the program was told:</p><blockquote>{}</blockquote>",
            shown(message)
        ),
        _ => String::new(),
    };
    let again = match (page, &login.again) {
        (Page::Refused(_), Some(again)) => {
            format!("<p>To start again, type:</p><pre>{}</pre>", shown(again))
        }
        _ => String::new(),
    };
    let kind = match page {
        Page::Accepted => "good",
        Page::Refused(_) => "bad",
        _ => "other",
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main class=\"{kind}\">\n<h1>{title}</h1>\n<p>{happened}</p>\n{said}\n\
         <p class=\"todo\">{todo}</p>\n{again}\n<footer>{FOOTER}</footer>\n</main>\n</body>\n</html>\n"
    )
}

fn title(page: Page<'_>) -> &'static str {
    match page {
        Page::Accepted => "Approved",
        Page::Refused(_) => "Not signed in",
        Page::Ignored => "Not this sign-in",
        Page::SeeProgram => "Still waiting",
        Page::Over => "Too late",
        Page::Embedded => "Not inside another page",
        Page::OtherMethod => "Not in this way",
        Page::NotHere => "Nothing here",
    }
}

/// What happened, in HTML.
fn happened(page: Page<'_>, login: &Login) -> String {
    let to = match &login.server {
        Some(server) => format!(" to <strong>{}</strong>", shown(server)),
        None => String::new(),
    };
    match page {
        Page::Accepted => {
            format!("The sign-in{to} is approved, and the program has the answer.")
        }
        Page::Refused(_) => format!("The sign-in{to} ended, and you are not signed in."),
        Page::Ignored => {
            "This page is the end of another sign-in than the one that the program waits for: an older \
             one, or one that you did not start. It was left aside and changed nothing."
                .to_owned()
        }
        Page::SeeProgram => {
            "The program has this answer, but has not said yet what became of it.".to_owned()
        }
        Page::Over => "The sign-in was over before this answer came: it had ended, was given up, or took too \
             long. The answer was not used."
            .to_owned(),
        Page::Embedded => {
            "The answer came inside another page, such as that of a browser built into an editor, where \
             a foreign page could have put it. It was not used."
                .to_owned()
        }
        Page::OtherMethod => {
            "The answer to a sign-in comes here as an address that the browser opens. This \
             one was sent in another way, such as a form, and was not used."
                .to_owned()
        }
        Page::NotHere => {
            "A program on this machine waits here for the end of a sign-in. This page is none, \
             and nothing was changed."
                .to_owned()
        }
    }
}

/// What the person does now.
fn todo(page: Page<'_>) -> &'static str {
    match page {
        Page::Accepted => {
            "Close this tab and go back to the program that you started from. It finishes the sign-in and says \
             when you are signed in."
        }
        Page::Refused(_) => {
            "Close this tab and go back to the program that you started from. It says what can be done about it."
        }
        Page::SeeProgram | Page::Over => {
            "Close this tab and go back to the program that you started from. It says how the sign-in ended."
        }
        Page::Embedded => {
            "Open the address that the program shows in a tab of its own, in a browser of its own. The program is \
             still waiting."
        }
        Page::Ignored | Page::OtherMethod | Page::NotHere => {
            "Close this tab. The program is still waiting: use the page that it opened last, or the address \
             that it shows."
        }
    }
}

/// Text of others, cleaned, bounded and escaped.
fn shown(text: &str) -> String {
    escape(&clean_text(text, MESSAGE_CHARACTERS))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#d0d4da;--quiet:#f3f4f6;--good:#1a7f37;--bad:#b42318;--other:#57606a}\
@media (prefers-color-scheme:dark){:root{--line:#3d444d;--quiet:#262c36;--good:#3fb950;--bad:#ff7b72;--other:#9198a1}}\
body{margin:0;font:1.0625rem/1.55 system-ui,-apple-system,sans-serif}\
main{box-sizing:border-box;max-width:36rem;margin:12vh auto 2rem;padding:0 1.25rem;overflow-wrap:anywhere}\
h1{font-size:1.75rem;line-height:1.2;margin:0 0 1rem;padding-left:.75rem;border-left:.3rem solid var(--other)}\
.good h1{border-color:var(--good)}.bad h1{border-color:var(--bad)}\
blockquote,pre{margin:0 0 1rem;padding:.75rem 1rem;border:1px solid var(--line);border-radius:.5rem;\
background:var(--quiet);white-space:pre-wrap}\
pre{font-family:ui-monospace,monospace;font-size:1rem}.todo{font-weight:600}\
footer{margin-top:2rem;color:var(--other);font-size:.9375rem}";
const FOOTER: &str = "This page comes from a program on this computer, not from a website.";
const MESSAGE_CHARACTERS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [Page<'_>; 8] = [
        Page::Accepted,
        Page::Ignored,
        Page::Refused("denied"),
        Page::SeeProgram,
        Page::Over,
        Page::Embedded,
        Page::OtherMethod,
        Page::NotHere,
    ];

    #[test]
    fn text_of_others_is_escaped_and_cleaned_wherever_it_stands() {
        let hostile = "<script>alert('x')</script>\u{1b}[31m\u{202e} & \"more\"";
        let login = Login {
            server: Some(hostile.to_owned()),
            again: Some(hostile.to_owned()),
        };
        for page in PAGES.into_iter().chain([Page::Refused(hostile)]) {
            let html = render(page, &login);
            for raw in ["<script", "\u{1b}", "\u{202e}", "alert('", "\"more"] {
                assert!(!html.contains(raw), "{raw:?} in {html}");
            }
        }
        let html = render(Page::Refused(hostile), &login);
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{html}");
    }

    #[test]
    fn no_page_has_a_script_a_form_or_anything_from_elsewhere() {
        for page in PAGES {
            let html = render(page, &Login::default());
            for wanted in [
                "<script", "<form", "<img", "<iframe", "src=", "url(", "@import", "http",
            ] {
                assert!(!html.contains(wanted), "{wanted} in {html}");
            }
            assert_eq!(html.matches("href=").count(), 1, "{html}");
            assert!(
                html.contains("<link rel=\"icon\" href=\"data:,\">"),
                "{html}"
            );
        }
    }

    #[test]
    fn every_page_says_what_to_do_and_that_of_a_refused_login_how_to_start_again() {
        let login = Login {
            server: Some("https://mcp.example/mcp".to_owned()),
            again: Some("doorkey login team".to_owned()),
        };
        for page in PAGES {
            let html = render(page, &login);
            let todo = match page {
                Page::Embedded => "Open the address that the program shows in a tab of its own",
                _ => "Close this tab",
            };
            assert!(
                html.contains(&format!("<p class=\"todo\">{todo}")),
                "{html}"
            );
            let ends = matches!(page, Page::Refused(_));
            assert_eq!(html.contains("doorkey login team"), ends, "{html}");
        }
    }

    #[test]
    fn only_an_answer_with_the_right_state_learns_of_which_server_the_login_is() {
        let login = Login {
            server: Some("https://mcp.example/mcp".to_owned()),
            again: Some("doorkey login team".to_owned()),
        };
        for page in PAGES {
            let html = render(page, &login);
            let named = html.contains("mcp.example") || html.contains("team");
            let judged = matches!(page, Page::Accepted | Page::Refused(_));
            assert_eq!(named, judged, "{html}");
        }
    }
}

//! The page a browser shows at the end: fixed text, no script, nothing of the request in it.

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
    SeeTerminal,
    /// The login is over already.
    Over,
    /// Not a callback at all.
    NotHere,
}

/// Styles of the page itself, and nothing else from anywhere.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

pub(super) fn render(page: Page<'_>) -> String {
    let (title, text) = match page {
        Page::Accepted => (
            "Signed in",
            "You can close this page and go back to the program.",
        ),
        Page::Ignored => (
            "Not this login",
            "This answer does not belong to the login that is waiting. It is still waiting: use the \
             page that the program opened last.",
        ),
        Page::Refused(_) => ("Not signed in", "The login ended. The program says more."),
        Page::SeeTerminal => (
            "Received",
            "Go back to the program to see how the login ended.",
        ),
        Page::Over => ("Too late", "No login is waiting for this answer any more."),
        Page::NotHere => (
            "Nothing here",
            "This address only receives the end of a login.",
        ),
    };
    let detail = match page {
        Page::Refused(message) => {
            let cleaned = doorkey_http::clean_text(message, MESSAGE_CHARACTERS);
            format!("<pre>{}</pre>", escape(&cleaned))
        }
        _ => String::new(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style><main><h1>{title}</h1><p>{text}</p>{detail}</main></html>\n"
    )
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

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;margin:4rem auto;max-width:32rem;\
                     padding:0 1rem;color-scheme:light dark}pre{white-space:pre-wrap}";
const MESSAGE_CHARACTERS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_escaped_and_cleaned() {
        let page = render(Page::Refused(
            "<script>alert('x')</script>\u{1b}[31m & more",
        ));
        assert!(
            !page.contains("<script>") && !page.contains('\u{1b}'),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{page}");
    }

    #[test]
    fn no_page_has_a_script_or_a_link() {
        for page in [
            Page::Accepted,
            Page::Ignored,
            Page::SeeTerminal,
            Page::Over,
            Page::NotHere,
        ] {
            let html = render(page);
            assert!(
                !html.contains("<script") && !html.contains("href"),
                "{html}"
            );
        }
    }
}

//! Messages without what differs from run to run.

/// `text` with the parameters of authorization pages, client ids and the operating system's own words taken out.
pub(crate) fn settled(text: &str) -> String {
    let text = replace_runs(text, "/authorize?", "…", |next| !next.is_whitespace());
    let text = replace_runs(&text, "client-", "ID", |next| {
        next.is_ascii_alphanumeric() || "-_".contains(next)
    });
    let text = replace_runs(&text, " (os error ", "N", |next| next.is_ascii_digit());
    // How a connection breaks off is a race between the layers of it.
    let text = BROKEN.iter().fold(text, |text, words| {
        text.replace(words, "(the connection broke off)")
    });
    // So it is whether two attempts broke off in the same way.
    text.replace("no valid answer ((the connection broke off))", "likewise")
}

/// Replaces the run of characters that `belongs` after each `prefix`.
pub(crate) fn replace_runs(
    text: &str,
    prefix: &str,
    with: &str,
    belongs: impl Fn(char) -> bool,
) -> String {
    let mut settled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(prefix) {
        settled.push_str(before);
        settled.push_str(prefix);
        rest = after.trim_start_matches(&belongs);
        if rest.len() < after.len() {
            settled.push_str(with);
        }
    }
    settled.push_str(rest);
    settled
}

const BROKEN: [&str; 5] = [
    "stream closed because of a broken pipe",
    "stream error received: unexpected internal error encountered",
    "the connection was cut before the answer was complete",
    "connection reset",
    "connection closed before message completed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_parts_are_taken_out_and_the_rest_stays() {
        let text = "see https://as/authorize?a=b&c=d now; client-x_Y-1: refused (os error 111)";
        assert_eq!(
            settled(text),
            "see https://as/authorize?… now; client-ID: refused (os error N)"
        );
        assert_eq!(settled("set client-\nid"), "set client-\nid");
    }
}

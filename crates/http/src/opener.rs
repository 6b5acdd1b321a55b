//! A URL as it may be handed to the programs that open pages, none of which are ours.

use std::fmt::Write as _;

use url::Url;

/// `url` without a character that a shell between an opener and the browser would act on; the page is the same.
///
/// Openers are scripts, and some hand the URL on to a shell: the one of a Linux within Windows puts it between double
/// quotes into a line of PowerShell, which runs what stands in `$(…)`. So in path, query and fragment everything but letters,
/// digits and `-._~/?:@+=&` is written as `%XX` (RFC 3986 section 2.1), and a `%` that begins no such group as `%25`: who
/// reads the query as a form reads the same names and values. A `&` has to stay, since it parts the parameters; a shell that
/// is given the URL without quotes parts its line there.
#[must_use]
pub fn for_opener(url: &Url) -> Url {
    let mut opened = url.clone();
    if !url.cannot_be_a_base() {
        opened.set_path(&written_out(url.path()));
    }
    opened.set_query(url.query().map(written_out).as_deref());
    opened.set_fragment(url.fragment().map(written_out).as_deref());
    opened
}

fn written_out(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        let stays = match byte {
            b'%' => matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()),
            _ => byte.is_ascii_alphanumeric() || HARMLESS.contains(byte),
        };
        if stays {
            written.push(char::from(*byte));
        } else {
            // Writing to a text cannot fail.
            let _: std::fmt::Result = write!(written, "%{byte:02X}");
        }
    }
    written
}

const HARMLESS: &[u8] = b"-._~/?:@+=&";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_shell_would_act_on_is_written_out_and_the_page_is_the_same() {
        for (url, opened) in [
            (
                "https://as.example/authorize?client_id=c&scope=a+b&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb",
                "https://as.example/authorize?client_id=c&scope=a+b&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb",
            ),
            (
                "https://as.example/$(calc.exe)/`id`;a|b?x=$(calc.exe)&y=`id`;id|id",
                "https://as.example/%24%28calc.exe%29/%60id%60%3Ba%7Cb?x=%24%28calc.exe%29&y=%60id%60%3Bid%7Cid",
            ),
            (
                "https://as.example/%COMSPEC%?q=%USERNAME%&r=%2",
                "https://as.example/%25COMSPEC%25?q=%25USERNAME%25&r=%252",
            ),
            (
                "https://as.example/a'b!c?d'e!f*{g}\\h^[i],\u{2018}",
                "https://as.example/a%27b%21c?d%27e%21f%2A%7Bg%7D%5Ch%5E%5Bi%5D%2C%E2%80%98",
            ),
            ("http://[::1]:4000", "http://[::1]:4000/"),
            ("https://as.example/?", "https://as.example/?"),
            ("data:$(x)", "data:$(x)"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(for_opener(&url).as_str(), opened);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_shell_acts_on_between_quotes_and_a_form_reads_the_same(
            path in "[ -~]{0,40}", query in "[ -~]{0,40}",
        ) {
            let mut url = Url::parse("https://as.example/").unwrap();
            url.set_path(&path);
            url.set_query(Some(&query));
            let opened = for_opener(&url);
            let text = opened.as_str();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/?:@+=&%".contains(&byte)), "{text}");
            let pairs = |url: &Url| url.query_pairs().into_owned().collect::<Vec<_>>();
            prop_assert_eq!(pairs(&opened), pairs(&url));
            prop_assert_eq!(&for_opener(&opened), &opened);
        }
    }
}

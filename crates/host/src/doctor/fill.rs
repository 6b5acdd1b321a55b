//! The texts of a fault, filled in: as words, as a command line, and as TOML.

use std::collections::BTreeMap;

use url::Url;

use super::diagnosis::{Finding, Mend, Values, filled};
use super::fault::Fault;
use crate::target::Target;

/// Whom a finding is about, as it is typed.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    name: String,
    account: Option<String>,
    /// The URL of a server that no table has.
    bare: Option<String>,
}

impl Subject {
    pub(super) fn new(server: &str, account: Option<&str>, url: Option<&str>) -> Self {
        let is_bare = server.contains("://");
        let url = url.unwrap_or(server);
        Self {
            name: if is_bare {
                suggested(url)
            } else {
                server.to_owned()
            },
            account: account.map(str::to_owned),
            bare: is_bare.then(|| url.to_owned()),
        }
    }

    fn target(&self) -> Target<'_> {
        Target::new(&self.name).with_account(self.account.as_deref())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name and the account as they are typed.
    pub(super) fn arguments(&self) -> String {
        self.target().arguments("")
    }

    /// A command of the table; `None` where there is nothing to type.
    fn command(&self, template: &str) -> Option<String> {
        let own = template.strip_prefix("doorkey ");
        let with = |hole| own.and_then(|own| own.split_once(hole));
        let (target, (verb, options)) = match (with("{login}"), with("{name}")) {
            (Some(parts), _) => (self.target(), parts),
            (None, Some(parts)) => (Target::new(&self.name), parts),
            (None, None) => return (!template.is_empty()).then(|| template.to_owned()),
        };
        let (verb, options) = (verb.trim(), options.trim());
        let command = target.command(format!("{verb} {options}").trim_end());
        let Some(url) = &self.bare else {
            return Some(command);
        };
        let url = Target::new(url).arguments("");
        let add = Target::new(&self.name).command(&format!("add --url {url}"));
        match verb {
            "doctor" => Some(format!("doorkey doctor {url}")),
            "add" => Some(add),
            // There is no table to look at.
            "get" => None,
            _ => Some(format!("{add} && {command}")),
        }
    }

    /// A setting of the table, whose values stand in strings of TOML.
    fn setting(&self, template: &str, values: &Values) -> Option<String> {
        if template.is_empty() {
            return None;
        }
        let mut inner: Values = values
            .iter()
            .map(|(key, text)| (*key, in_string(text)))
            .collect();
        let value = values.get("value").map_or("", String::as_str);
        let list = value.split(", ").map(|word| word.trim_matches('"'));
        let list: Vec<_> = list
            .map(|word| format!("\"{}\"", in_string(word)))
            .collect();
        inner.insert("list", list.join(", "));
        inner.insert("name", toml_edit::Key::new(&self.name).to_string());
        Some(filled(template, &inner))
    }

    /// What a fault is with these values.
    pub(super) fn tell(&self, fault: &Fault, values: &Values, into: &mut Finding) {
        let fill = |text: &str| filled(text, values);
        let some = |text: &str| (!text.is_empty()).then(|| fill(text));
        let operator = values.get("origin").filter(|_| !fault.tell.is_empty());
        let url = values.get("url").map_or("", String::as_str);
        // What is configured already is no advice.
        let is_so_already = |setting: &String| setting.contains(&format!("url = {url:?}"));
        fault.title.clone_into(&mut into.title);
        fault.rule.clone_into(&mut into.rule);
        into.means = fill(fault.means);
        into.section = some(fault.section);
        into.mend = Mend {
            text: fill(fault.mend),
            command: self.command(fault.command),
            config: self
                .setting(fault.setting, values)
                .filter(|it| !is_so_already(it)),
            operator: operator.cloned(),
            message: some(fault.tell),
        };
    }
}

/// A name for the server at a URL: the word of its host that names whose it is.
fn suggested(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::domain).unwrap_or_default();
    let mut words: Vec<_> = host.split('.').collect();
    words.pop();
    let is_common = |word: &&str| ["mcp", "api", "www", "server"].contains(word);
    let own = words
        .iter()
        .rev()
        .find(|word| !is_common(word) && !word.is_empty());
    own.map_or_else(|| "server".to_owned(), ToString::to_string)
}

/// A text as it stands between the quotes of a TOML string.
fn in_string(text: &str) -> String {
    let mut inner = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' => inner.extend(['\\', letter]),
            letter if letter.is_control() => inner.push('\u{fffd}'),
            letter => inner.push(letter),
        }
    }
    inner
}

/// The values by their names, as a file keeps them.
pub(super) fn kept(values: &Values) -> BTreeMap<String, String> {
    let all = values.iter();
    all.map(|(key, text)| ((*key).to_owned(), text.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::{discovery, first, session, token};
    use super::*;

    #[test]
    fn a_name_is_quoted_for_the_shell_and_for_toml() {
        let subject = Subject::new("my server; touch x", Some("ada"), None);
        let command = subject.command(token::NOT_SIGNED_IN.command);
        let expected = "doorkey login 'my server; touch x' --account ada";
        assert_eq!(command.as_deref(), Some(expected));
        let values = Values::from([("issuer", "https://a\"\nurl = \"https://evil".to_owned())]);
        let setting = subject.setting(discovery::ISSUER_MISMATCH.setting, &values);
        let document: toml_edit::DocumentMut = setting.expect("one").parse().expect("TOML");
        let table = &document["mcp_servers"]["my server; touch x"];
        assert!(
            table["trusted_issuer"]
                .as_str()
                .is_some_and(|it| it.contains('"'))
        );
        assert!(table.get("url").is_none());
    }

    #[test]
    fn scopes_are_a_list_of_strings() {
        let values = Values::from([("value", "\"read\", \"a:b\"".to_owned())]);
        let subject = Subject::new("work", None, None);
        let setting = subject.setting(session::SCOPE_MISSING.setting, &values);
        let expected = "[mcp_servers.work]\nscopes = [\"read\", \"a:b\"]";
        assert_eq!(setting.as_deref(), Some(expected));
    }

    #[test]
    fn a_url_without_a_table_is_added_first_under_the_name_of_its_host() {
        let url = "https://mcp.example.com/mcp";
        let subject = Subject::new(url, None, Some(url));
        let login = subject.command(token::NOT_SIGNED_IN.command);
        let expected = format!("doorkey add example --url {url} && doorkey login example");
        assert_eq!(login, Some(expected));
        let again = subject.command(token::BRAKE_ON.command);
        assert_eq!(again, Some(format!("doorkey doctor {url}")));
        assert_eq!(subject.command(first::NOT_FOUND.command), None);
        assert_eq!(suggested("http://127.0.0.1:1/mcp"), "server");
    }
}

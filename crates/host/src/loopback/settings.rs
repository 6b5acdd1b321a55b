//! Where a login comes back to: the host, the port or a range of them, or a whole redirect URI (AZ-15 to AZ-17).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use doorkey_oauth::RedirectRule;
use url::Url;

/// What the configuration says about the way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallbackSettings {
    /// The ports to listen on, tried in order; `None` lets the operating system pick one.
    pub ports: Option<CallbackPorts>,
    /// The host of the redirect URI, where `url` names none; `None` takes that of a registered one, else
    /// `127.0.0.1`.
    pub host: Option<CallbackHost>,
    /// The redirect URI: on loopback its host, port and path are taken as they are; an https one is
    /// expected to be forwarded to `ports` on this machine.
    pub url: Option<Url>,
}

/// One port, or a range of them, of which the first that is free is taken; or any port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackPorts {
    first: u16,
    last: u16,
}

/// What the redirect URI calls this machine. The listener is where it leads, and nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallbackHost {
    /// `127.0.0.1`, as RFC 8252 section 7.3 has it.
    #[default]
    Ipv4,
    /// `localhost`, for an authorization server that takes nothing else; listened on wherever that name leads.
    Localhost,
    /// `[::1]`.
    Ipv6,
}

/// A text that is neither a port nor a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "neither a port up to 65535, nor a range of at most {MOST_PORTS} such as 3118-3127, nor 0 for any that is free"
)]
#[non_exhaustive]
pub struct NoPorts;

/// A text that is none of the three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of 127.0.0.1, localhost and ::1")]
#[non_exhaustive]
pub struct NoCallbackHost;

impl CallbackSettings {
    /// Fixed ports, a fixed redirect URI, both or neither.
    #[must_use]
    pub fn new(ports: Option<CallbackPorts>, url: Option<Url>) -> Self {
        Self {
            ports: ports.filter(|ports| !ports.is_any()),
            host: None,
            url,
        }
    }

    /// The same at other ports. A redirect URI on loopback gets the port; one elsewhere stays, and is forwarded there.
    /// [`CallbackPorts::ANY`] takes back a port that was fixed.
    #[must_use]
    pub fn at_ports(mut self, ports: CallbackPorts) -> Self {
        self.ports = Some(ports).filter(|ports| !ports.is_any());
        if let Some(url) = &mut self.url
            && ports.is_any()
            && super::address::is_loopback(url)
        {
            // Cannot fail: the URL is http and has a host.
            let _unchanged = url.set_port(None);
        }
        self
    }

    /// The same at another host. A redirect URI on loopback gets it; one elsewhere stays.
    #[must_use]
    pub fn at_host(mut self, host: CallbackHost) -> Self {
        match &mut self.url {
            None => self.host = Some(host),
            Some(url) if super::address::is_loopback(url) => {
                // Cannot fail: the URL is http and has a host.
                let _unchanged = url.set_host(Some(host.in_url()));
            }
            Some(_) => {}
        }
        self
    }

    /// The same, with what an authorization server fixes where the settings are silent.
    pub(super) fn within(&self, rule: Option<&RedirectRule>) -> Self {
        let mut settings = self.clone();
        let Some(rule) = rule.filter(|_| self.url.is_none()) else {
            return settings;
        };
        let host = rule.host.as_deref().and_then(|host| host.parse().ok());
        settings.host = self.host.or(host);
        settings.ports = self.ports.or(rule.port.map(CallbackPorts::from));
        if let Some(path) = &rule.path {
            let mut url = settings.host.unwrap_or_default().redirect_url();
            url.set_path(path);
            settings.url = Some(url);
        }
        settings
    }

    /// Every redirect URI that a login may use, as an authorization server would have to know them: without a port where
    /// any will do.
    #[must_use]
    pub fn redirect_uris(&self) -> Vec<String> {
        let pattern = match &self.url {
            Some(url) if !super::address::is_loopback(url) => return vec![url.to_string()],
            Some(url) => url.clone(),
            None => self.host.unwrap_or_default().redirect_url(),
        };
        let Some(ports) = self.ports else {
            return vec![pattern.to_string()];
        };
        ports
            .iter()
            .map(|port| {
                let mut url = pattern.clone();
                // Cannot fail, as above.
                let _unchanged = url.set_port(Some(port));
                url.to_string()
            })
            .collect()
    }
}

impl CallbackPorts {
    /// Any port that is free, chosen anew for each login; written `0`.
    pub const ANY: Self = Self { first: 0, last: 0 };

    /// Whether any port will do.
    #[must_use]
    pub fn is_any(self) -> bool {
        self == Self::ANY
    }

    /// A range of ports, from the first to the last of them; `None` where it is empty, longer than a hundred, or has port 0
    /// in it.
    #[must_use]
    pub fn range(ports: RangeInclusive<u16>) -> Option<Self> {
        let (first, last) = (*ports.start(), *ports.end());
        (first > 0 && first <= last && last - first < MOST_PORTS).then_some(Self { first, last })
    }

    /// The first of them.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// The ports, in the order in which they are tried.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    /// The port, where it is one alone.
    #[must_use]
    pub fn single(self) -> Option<u16> {
        (self.first == self.last).then_some(self.first)
    }

    /// Whether this port is among them.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl From<u16> for CallbackPorts {
    fn from(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }
}

impl FromStr for CallbackPorts {
    type Err = NoPorts;

    fn from_str(text: &str) -> Result<Self, NoPorts> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| NoPorts);
        if port(text) == Ok(0) {
            return Ok(Self::ANY);
        }
        Self::range(port(first)?..=port(last)?).ok_or(NoPorts)
    }
}

impl fmt::Display for CallbackPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(port) => write!(f, "{port}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl CallbackHost {
    /// As it is written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "127.0.0.1",
            Self::Localhost => "localhost",
            Self::Ipv6 => "::1",
        }
    }

    fn in_url(self) -> &'static str {
        match self {
            Self::Ipv6 => "[::1]",
            other => other.as_str(),
        }
    }

    /// The redirect URI there, without a port.
    #[expect(clippy::expect_used, reason = "constants that a test parses")]
    pub(super) fn redirect_url(self) -> Url {
        Url::parse(&format!("http://{}{PATH}", self.in_url())).expect("a URL")
    }
}

impl FromStr for CallbackHost {
    type Err = NoCallbackHost;

    fn from_str(text: &str) -> Result<Self, NoCallbackHost> {
        let text = text.to_ascii_lowercase();
        let text = text.trim_start_matches('[').trim_end_matches(']');
        let all = [Self::Ipv4, Self::Localhost, Self::Ipv6];
        let found = all.into_iter().find(|host| host.as_str() == text);
        found.ok_or(NoCallbackHost)
    }
}

impl fmt::Display for CallbackHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// More would hardly be meant, and each one has to be registered.
const MOST_PORTS: u16 = 100;
/// The path of every redirect URI that nobody chose otherwise.
const PATH: &str = "/callback";

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> CallbackPorts {
        text.parse().expect("ports")
    }

    #[test]
    fn what_a_server_fixes_of_the_way_back_holds_where_the_settings_are_silent() {
        let rule = RedirectRule {
            host: Some("localhost".to_owned()),
            port: Some(3118),
            path: Some("/back".to_owned()),
        };
        let silent = CallbackSettings::default();
        assert_eq!(silent.within(None), silent);
        let fixed = silent.within(Some(&rule));
        assert_eq!(fixed.redirect_uris(), ["http://localhost:3118/back"]);
        let own = CallbackSettings::new(Some(ports("4000")), None);
        let own = own.at_host(CallbackHost::Ipv4).within(Some(&rule));
        assert_eq!(own.redirect_uris(), ["http://127.0.0.1:4000/back"]);
        let url = Url::parse("https://relay.example/back").expect("a URL");
        let forwarded = CallbackSettings::new(Some(ports("4000")), Some(url));
        assert_eq!(forwarded.within(Some(&rule)), forwarded);
        let host_alone = RedirectRule {
            host: Some("localhost".to_owned()),
            ..RedirectRule::default()
        };
        let host_alone = silent.within(Some(&host_alone));
        assert_eq!(host_alone.redirect_uris(), ["http://localhost/callback"]);
    }

    #[test]
    fn ports_are_one_or_a_short_range_and_nothing_else() {
        assert_eq!(ports("3118").single(), Some(3118));
        assert_eq!(ports("3118-3118"), ports("3118"));
        let range = ports("3118 - 3120");
        assert_eq!(range.iter().collect::<Vec<_>>(), [3118, 3119, 3120]);
        assert_eq!(
            (range.to_string(), range.single()),
            ("3118-3120".to_owned(), None)
        );
        assert!(range.contains(3120) && !range.contains(3121));
        for text in [
            "",
            "0-5",
            "0-0",
            "70000",
            "3120-3118",
            "3118-",
            "-3118",
            "1-101",
            "a-b",
            "1-2-3",
            "-1",
        ] {
            assert_eq!(text.parse::<CallbackPorts>(), Err(NoPorts), "{text}");
        }
        assert!("1-100".parse::<CallbackPorts>().is_ok());
    }

    #[test]
    fn port_0_is_any_port_and_takes_back_a_fixed_one() {
        assert_eq!(ports("0"), CallbackPorts::ANY);
        assert_eq!(CallbackPorts::from(0), CallbackPorts::ANY);
        let any = CallbackSettings::new(Some(ports("0")), None);
        assert_eq!(any, CallbackSettings::default());
        let fixed = CallbackSettings::new(Some(ports("3118")), None);
        assert_eq!(fixed.at_ports(ports("0")), CallbackSettings::default());
        let url = Url::parse("http://localhost:3118/back").ok();
        let fixed = CallbackSettings::new(None, url).at_ports(CallbackPorts::ANY);
        assert_eq!(fixed.redirect_uris(), ["http://localhost/back"]);
    }

    #[test]
    fn hosts_are_three_and_make_redirect_uris_az_16() {
        for (text, uri) in [
            ("127.0.0.1", "http://127.0.0.1/callback"),
            ("LOCALHOST", "http://localhost/callback"),
            ("::1", "http://[::1]/callback"),
            ("[::1]", "http://[::1]/callback"),
        ] {
            let host: CallbackHost = text.parse().expect("a host");
            assert_eq!(host.redirect_url().as_str(), uri);
        }
        for text in ["", "0.0.0.0", "127.0.0.2", "example.com"] {
            assert_eq!(text.parse::<CallbackHost>(), Err(NoCallbackHost), "{text}");
        }
    }

    #[test]
    fn a_flag_changes_a_redirect_uri_on_loopback_and_none_elsewhere() {
        let url = |text: &str| Url::parse(text).ok();
        let changed = |settings: CallbackSettings| {
            let settings = settings.at_host(CallbackHost::Localhost);
            settings.at_ports(ports("7-8")).redirect_uris()
        };
        assert_eq!(
            changed(CallbackSettings::default()),
            ["http://localhost:7/callback", "http://localhost:8/callback"]
        );
        assert_eq!(
            changed(CallbackSettings::new(None, url("http://127.0.0.1:3118/cb"))),
            ["http://localhost:7/cb", "http://localhost:8/cb"]
        );
        assert_eq!(
            changed(CallbackSettings::new(None, url("https://dev.example/cb"))),
            ["https://dev.example/cb"]
        );
        assert_eq!(
            CallbackSettings::default().redirect_uris(),
            ["http://127.0.0.1/callback"]
        );
    }
}

//! The grammar of `WWW-Authenticate` (RFC 9110 §11.2, §11.6.1): linear, bounded, and never in the
//! way of the 401.
//!
//! It is followed to the letter but for one thing deployed servers do: a value without quotes may
//! hold characters that a token may not (`resource_metadata=https://…`).

use super::Challenge;

/// Reads all values as one list.
pub(super) fn challenges<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut list = List::default();
    for value in values {
        if value.len() > MAX_VALUE_BYTES {
            list.start(None);
            continue;
        }
        read_value(value, &mut list);
    }
    list.finish()
}

fn read_value(value: &str, list: &mut List) {
    let mut cursor = Cursor { text: value, at: 0 };
    let mut first = true;
    loop {
        cursor.skip_while(|byte| is_blank(byte) || byte == b',');
        if cursor.peek().is_none() {
            return;
        }
        let start = cursor.at;
        match cursor.member() {
            Member::Challenge(challenge) => list.start(Some(challenge)),
            Member::Parameter(name, value) => list.add(name, value),
            Member::BrokenChallenge => list.start(None),
            // What a line starts with is more likely its own fault than the end of the line before.
            Member::BrokenPart if first => list.start(None),
            Member::BrokenPart => list.break_open(),
        }
        first = false;
        if !cursor.is_at_member_end() {
            cursor.at = start;
            cursor.skip_member();
        }
    }
}

/// The challenges read so far and the one that parameters still belong to.
#[derive(Default)]
struct List {
    done: Vec<Challenge>,
    /// `None` before the first scheme, and after a part that broke its challenge.
    open: Option<Challenge>,
}

impl List {
    fn start(&mut self, challenge: Option<Challenge>) {
        self.close();
        self.open = challenge;
    }

    /// A repeated parameter is never resolved by picking one; it breaks the challenge.
    fn add(&mut self, name: &str, value: String) {
        let Some(challenge) = &mut self.open else {
            return;
        };
        let full = challenge.parameters.len() >= MAX_PARAMETERS;
        if full || challenge.token68.is_some() || challenge.param(name).is_some() {
            self.open = None;
        } else {
            challenge.parameters.push((name.to_owned(), value));
        }
    }

    fn break_open(&mut self) {
        self.open = None;
    }

    fn close(&mut self) {
        if self.done.len() < MAX_CHALLENGES {
            self.done.extend(self.open.take());
        }
    }

    fn finish(mut self) -> Vec<Challenge> {
        self.close();
        self.done
    }
}

/// What stands between two commas.
enum Member<'a> {
    /// A scheme, and what may follow it at once.
    Challenge(Challenge),
    /// A further parameter of the challenge before it.
    Parameter(&'a str, String),
    /// A scheme followed by something else.
    BrokenChallenge,
    /// Neither.
    BrokenPart,
}

struct Cursor<'a> {
    text: &'a str,
    /// Always on a character boundary: only whole characters are passed.
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A token followed by `=` is a parameter; any other token is a scheme.
    fn member(&mut self) -> Member<'a> {
        let start = self.at;
        let Some(token) = self.token() else {
            return Member::BrokenPart;
        };
        if self.is_before_equals() {
            self.at = start;
            return match self.parameter() {
                Some((name, value)) => Member::Parameter(name, value),
                None => Member::BrokenPart,
            };
        }
        let mut challenge = Challenge {
            scheme: token.to_owned(),
            token68: None,
            parameters: Vec::new(),
        };
        if self.is_at_member_end() {
            return Member::Challenge(challenge);
        }
        if !self.peek().is_some_and(is_blank) {
            return Member::BrokenChallenge;
        }
        self.skip_while(is_blank);
        if let Some(blob) = self.token68() {
            challenge.token68 = Some(blob.to_owned());
        } else if let Some((name, value)) = self.parameter() {
            challenge.parameters.push((name.to_owned(), value));
        } else {
            return Member::BrokenChallenge;
        }
        Member::Challenge(challenge)
    }

    /// `token BWS "=" BWS ( token / quoted-string )`, up to the end of the member.
    fn parameter(&mut self) -> Option<(&'a str, String)> {
        let name = self.token()?;
        self.skip_while(is_blank);
        if self.peek() != Some(b'=') {
            return None;
        }
        self.at += 1;
        self.skip_while(is_blank);
        let value = match self.peek()? {
            b'"' => self.quoted_string()?,
            _ => self.bare_value()?.to_owned(),
        };
        self.is_at_member_end().then_some((name, value))
    }

    fn token(&mut self) -> Option<&'a str> {
        self.take_while(is_token_character)
    }

    /// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, up to the end of the member;
    /// else nothing is consumed.
    fn token68(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.take_while(is_token68_character)?;
        self.skip_while(|byte| byte == b'=');
        if self.is_at_member_end() {
            return Some(&self.text[start..self.at]);
        }
        self.at = start;
        None
    }

    fn bare_value(&mut self) -> Option<&'a str> {
        if self.peek() == Some(b'=') {
            return None;
        }
        self.take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"' | b'\\'))
    }

    /// RFC 9110 §5.6.4: a backslash makes the next character literal; control characters other than
    /// a tab are out.
    fn quoted_string(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut escaped = false;
        let mut rest = self.text[self.at..].char_indices();
        rest.next();
        for (offset, c) in rest {
            match c {
                '"' if !escaped => {
                    self.at += offset + 1;
                    return Some(value);
                }
                '\\' if !escaped => escaped = true,
                c if c != '\t' && c.is_control() => return None,
                c => {
                    value.push(c);
                    escaped = false;
                }
            }
        }
        None
    }

    /// Passes over a member whatever it holds; commas between quotes do not end it.
    fn skip_member(&mut self) {
        let (mut quoted, mut escaped) = (false, false);
        for (offset, byte) in self.text.as_bytes()[self.at..].iter().enumerate() {
            match byte {
                b',' if !quoted => {
                    self.at += offset;
                    return;
                }
                b'\\' if quoted && !escaped => {
                    escaped = true;
                    continue;
                }
                b'"' if !escaped => quoted = !quoted,
                _ => {}
            }
            escaped = false;
        }
        self.at = self.text.len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether only blanks stand before the next comma or the end.
    fn is_at_member_end(&self) -> bool {
        let rest = self.text.as_bytes()[self.at..]
            .iter()
            .find(|byte| !is_blank(**byte));
        rest.is_none_or(|byte| *byte == b',')
    }

    fn is_before_equals(&self) -> bool {
        let rest = self.text.as_bytes()[self.at..]
            .iter()
            .find(|byte| !is_blank(**byte));
        rest == Some(&b'=')
    }

    /// `accept` takes ASCII only, so that the cursor stays on a character boundary.
    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> Option<&'a str> {
        let start = self.at;
        self.skip_while(accept);
        (self.at > start).then(|| &self.text[start..self.at])
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest
            .iter()
            .position(|byte| !accept(*byte))
            .unwrap_or(rest.len());
    }
}

/// `SP / HTAB`.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar` of RFC 9110 §5.6.2.
const fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

const fn is_token68_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// Bytes of one field value; a longer one is left out whole.
pub(super) const MAX_VALUE_BYTES: usize = 16 * 1024;
/// Challenges of one response; later ones are left out.
pub(super) const MAX_CHALLENGES: usize = 64;
/// Parameters of one challenge; one with more is left out.
pub(super) const MAX_PARAMETERS: usize = 64;

//! `doorkey token`: one access token for a script, refreshed if it is due.

use clap::Args;
use doorkey::{Error, ErrorCode, Host, LoginState, Session, Target};
use doorkey_oauth::{AccessToken, Challenges, Error as AuthorizationError, LoginReason, TokenType};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::subject::{Account, shown};
use super::when::rfc3339;

#[derive(Args, Debug)]
#[command(after_help = REMARK)]
pub(crate) struct Token {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// As the whole header, for `curl -H @-`
    #[arg(long)]
    header: bool,
    /// Also on a terminal, where it stays to be read
    #[arg(long)]
    show: bool,
    /// As JSON, with what is known of it
    #[arg(long, conflicts_with = "header")]
    json: bool,
}

/// A token with what is known of it.
#[derive(Serialize)]
struct Shown<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_at: Option<String>,
    resource: Option<String>,
    scopes: Vec<String>,
}

impl Token {
    /// The token of the login or, as a script would send it too, the one that the configuration names.
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.account.at(&self.name);
        if output.terminal().stdout && !self.show {
            return Err(Failure::Refused {
                text: "a token would stay on the screen and in what the terminal keeps".to_owned(),
                next: Some(format!(
                    "{} | COMMAND, or with --show if you mean to see it",
                    target.command("token")
                )),
                code: ErrorCode::Usage,
            });
        }
        let session = host.session(target)?;
        if !session.server.enabled {
            let server = self.name.clone();
            return Err(Error::Disabled { server }.into());
        }
        let token = self.token(host, target, &session);
        let what = format!("looking for a token of {}", shown(target));
        let token = output.while_waiting(&what, token).await?;
        let Some(token) = token else {
            return Err(self.none_there(host, target, &session).await?);
        };
        self.print(host, target, &token, output).await
    }

    /// A flow without a person has its first token when the server is first asked for something.
    async fn token(
        &self,
        host: &Host,
        target: Target<'_>,
        session: &Session,
    ) -> Result<Option<AccessToken>, Failure> {
        let token = get(session).await?;
        if token.is_some() || !session.server.oauth.flow.is_unattended() {
            return Ok(token);
        }
        host.check(target).await?;
        get(session).await
    }

    /// Why there is none: nobody has signed in, or nobody has to.
    async fn none_there(
        &self,
        host: &Host,
        target: Target<'_>,
        session: &Session,
    ) -> Result<Failure, Failure> {
        let status = host.status(target).await?.auth.status;
        if status == LoginState::NotRequired {
            return Ok(Failure::Refused {
                code: ErrorCode::Usage,
                text: format!(
                    "{} takes requests without a login: there is no token",
                    self.name
                ),
                next: Some(target.command("tools")),
            });
        }
        let source = AuthorizationError::LoginRequired {
            server: Box::new(session.server.url.clone()),
            reason: LoginReason::NoGrant,
            challenges: Challenges::default(),
            cause: None,
        };
        Ok(failed(&self.name, source))
    }

    async fn print(
        &self,
        host: &Host,
        target: Target<'_>,
        token: &AccessToken,
        output: &Output,
    ) -> Result<Exit, Failure> {
        if token.token_type() != TokenType::Bearer {
            return Err(Failure::Refused {
                text: format!(
                    "the token of {} is bound to a key of this program (DPoP): each request needs a proof \
                     that only doorkey can make, and the token alone is refused",
                    shown(target)
                ),
                next: Some(format!(
                    "{} TOOL; if a bearer token will do, write dpop = \"off\" in \
                     [{}.oauth] and sign in again",
                    target.command("call"),
                    target.table()
                )),
                code: ErrorCode::TokenBound,
            });
        }
        let header = token
            .header_value()
            .map_err(|source| failed(&self.name, source))?;
        let header = header.to_str().map_err(|_| {
            let source = AuthorizationError::IllegalToken;
            failed(&self.name, source)
        })?;
        let text = header.strip_prefix("Bearer ").unwrap_or(header);
        if self.json {
            // What is stored is about the token that is handed out, which was just read from there.
            let status = host.status(target).await?.auth;
            output.json(&Shown {
                access_token: text,
                token_type: token.token_type().scheme(),
                expires_at: token.expires_at().and_then(rfc3339),
                resource: status.resource,
                scopes: status.scopes,
            })?;
        } else if self.header {
            output.data(&format!("Authorization: {header}"))?;
        } else {
            output.data(text)?;
        }
        Ok(Exit::Done)
    }
}

async fn get(session: &Session) -> Result<Option<AccessToken>, Failure> {
    let token = session.tokens.token().await;
    token.map_err(|source| failed(&session.server.name, source))
}

fn failed(server: &str, source: AuthorizationError) -> Failure {
    Failure::Host(Error::Authorization {
        what: "get a token for",
        server: server.to_owned(),
        source: source.into(),
    })
}

const REMARK: &str = "\
The token lives as long as its issuer says (see --json): ask again before each use, which costs nothing
while it is fresh.";

//! `doorkey client-metadata`: the document to publish for a client that is known by its URL.

use clap::Args;
use doorkey::{ClientMetadata, Host};
use url::Url;

use super::exit::{Exit, Failure};
use super::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Metadata {
    /// Where the document is going to be published: https, with a path
    #[arg(value_parser = document_url)]
    url: Url,
    /// Where browsers come back to (repeatable); by default what the configuration says
    #[arg(long = "redirect-uri", value_name = "URI", value_parser = redirect_uri)]
    redirect_uris: Vec<String>,
}

impl Metadata {
    pub(crate) fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let document = host.client_metadata(&self.url, &self.redirect_uris)?;
        output.json(&document)?;
        output.note(&format!(
            "publish this as application/json at {}, then write client_metadata_url = {:?}",
            self.url,
            self.url.as_str()
        ));
        if document.redirect_uris.iter().any(|uri| has_any_port(uri)) {
            output.note(
                "the port of http://127.0.0.1/callback is chosen anew for each login; for an \
                 authorization server that compares ports set callback_port",
            );
        }
        Ok(Exit::Done)
    }
}

fn has_any_port(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && url.port().is_none())
}

fn document_url(written: &str) -> Result<Url, String> {
    ClientMetadata::check_url(written)
        .map_err(|why| format!("expected an https URL with a path, found {why}"))
}

fn redirect_uri(written: &str) -> Result<String, String> {
    ClientMetadata::check_redirect_uri(written).map_err(|why| why.to_string())?;
    Ok(written.to_owned())
}

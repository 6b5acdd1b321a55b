//! Logs on standard error, for those who ask.

use doorkey::Environment;
use tracing_subscriber::EnvFilter;

use super::output::Output;

/// Starts logging where `--verbose` or `DOORKEY_LOG` asks for it. No secret is ever logged.
pub(crate) fn start(verbose: u8, environment: &Environment, output: &Output) {
    let wanted = match (verbose, environment.text("DOORKEY_LOG")) {
        (0, Ok(None)) => return,
        (0, Ok(Some(filter))) => filter.to_owned(),
        (1, _) => "info,doorkey=debug".to_owned(),
        (0, Err(error)) => {
            output.warn(&error.to_string());
            return;
        }
        _ => "trace".to_owned(),
    };
    let filter = match EnvFilter::try_new(&wanted) {
        Ok(filter) => filter,
        Err(error) => {
            output.warn(&format!("DOORKEY_LOG: {error}"));
            return;
        }
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(output.manner().colors.stderr)
        .with_writer(std::io::stderr)
        .try_init();
    if let Err(error) = started {
        output.warn(&format!("no log: {error}"));
    }
}

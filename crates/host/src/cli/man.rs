//! `doorkey man`: the manual pages.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man as Page;

use super::exit::{Exit, Failure};
use super::output::{Output, clean};

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self, command: Command, output: &Output) -> Result<Exit, Failure> {
        let Some(folder) = &self.dir else {
            let mut page = Vec::new();
            Page::new(command)
                .render(&mut page)
                .map_err(Failure::Output)?;
            output.data(String::from_utf8_lossy(&page).trim_end())?;
            if output.terminal().stdout {
                output.note("To read it: doorkey man | man -l -");
            }
            return Ok(Exit::Done);
        };
        let shown = clean(&folder.to_string_lossy());
        let written =
            fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
        written.map_err(|error| {
            Failure::Output(io::Error::new(error.kind(), format!("{shown}: {error}")))
        })?;
        output.note(&format!(
            "wrote the manual pages into {shown}; to read one: man {shown}/doorkey.1"
        ));
        Ok(Exit::Done)
    }
}

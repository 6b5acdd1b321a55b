//! What a server hands over: text to be read, and bytes to be kept in a file.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::Args;
use doorkey_rmcp::rmcp::model::{ContentBlock, ResourceContents};

use super::exit::Failure;
use super::output::{Output, clean};

/// `--output`, for commands that may get bytes.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// Write what is no text (images, audio, files) to FILE, further ones beside it with a number; - is standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Something that is no text.
pub(crate) struct Binary<'a> {
    kind: &'static str,
    /// Its type, as the server says.
    what: &'a str,
    base64: &'a str,
}

impl Place {
    /// Whether bytes have somewhere to go.
    pub(crate) fn is_given(&self) -> bool {
        self.output.is_some()
    }

    /// Writes all of it, and says where.
    pub(crate) fn save(&self, binaries: &[Binary<'_>], output: &Output) -> Result<(), Failure> {
        let Some(path) = &self.output else {
            return Ok(());
        };
        if binaries.is_empty() {
            output.warn(&format!(
                "{} was not written: there is nothing but text",
                clean(&path.to_string_lossy())
            ));
        }
        for (index, binary) in binaries.iter().enumerate() {
            let bytes = binary.bytes()?;
            self.write(path, index, &bytes, &binary.told(bytes.len()), output)?;
        }
        Ok(())
    }

    /// Writes text as it came, which on a terminal or in a pipe is cleaned.
    pub(crate) fn save_text(&self, text: &str, output: &Output) -> Result<(), Failure> {
        match &self.output {
            Some(path) => self.write(
                path,
                0,
                text.as_bytes(),
                &format!("text, {} bytes", text.len()),
                output,
            ),
            None => output.data(text),
        }
    }

    fn write(
        &self,
        path: &Path,
        index: usize,
        bytes: &[u8],
        told: &str,
        output: &Output,
    ) -> Result<(), Failure> {
        if path.as_os_str() == "-" {
            return to_stdout(bytes, index, output);
        }
        let path = numbered(path, index);
        let shown = clean(&path.to_string_lossy());
        let written = fs::write(&path, bytes);
        written.map_err(|error| {
            Failure::Output(io::Error::new(error.kind(), format!("{shown}: {error}")))
        })?;
        output.note(&format!("wrote {shown}: {told}"));
        Ok(())
    }
}

fn to_stdout(bytes: &[u8], index: usize, output: &Output) -> Result<(), Failure> {
    if output.terminal().stdout {
        return Err(Failure::Unfit {
            why: "bytes are not written to a terminal, which would obey some of them".to_owned(),
            next: "--output FILE, or a pipe behind --output -".to_owned(),
        });
    }
    if index > 0 {
        return Err(Failure::Unfit {
            why: "there is more than one part, and standard output takes one".to_owned(),
            next: "--output FILE".to_owned(),
        });
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(Failure::Output)
}

/// `plot.png`, then `plot-2.png`, `plot-3.png`.
fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", index + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

impl<'a> Binary<'a> {
    /// What of a block is no text.
    pub(crate) fn in_block(block: &'a ContentBlock) -> Option<Self> {
        match block {
            ContentBlock::Image(image) => Some(Self::new("image", &image.mime_type, &image.data)),
            ContentBlock::Audio(audio) => Some(Self::new("audio", &audio.mime_type, &audio.data)),
            ContentBlock::Resource(embedded) => Self::in_resource(&embedded.resource),
            _ => None,
        }
    }

    /// The bytes of a resource, if it is no text.
    pub(crate) fn in_resource(contents: &'a ResourceContents) -> Option<Self> {
        match contents {
            ResourceContents::BlobResourceContents {
                mime_type,
                blob,
                uri,
                ..
            } => Some(Self::new(
                "resource",
                mime_type.as_deref().unwrap_or(uri),
                blob,
            )),
            _ => None,
        }
    }

    fn new(kind: &'static str, what: &'a str, base64: &'a str) -> Self {
        Self { kind, what, base64 }
    }

    /// In words, and how to get it.
    pub(crate) fn shown(&self) -> String {
        let length = self.base64.trim_end_matches('=').len() / 4 * 3
            + self.base64.trim_end_matches('=').len() % 4 * 3 / 4;
        format!("[{}; --output FILE keeps it]", self.told(length))
    }

    fn told(&self, length: usize) -> String {
        format!("{} {}, {length} bytes", self.kind, clean(self.what))
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let decoded = BASE64.decode(self.base64.as_bytes());
        decoded.map_err(|error| {
            let text = format!(
                "the server's {} {} is not base64: {error}",
                self.kind,
                clean(self.what)
            );
            Failure::Output(io::Error::new(io::ErrorKind::InvalidData, text))
        })
    }
}

/// One block, as text on lines of its own; what is no text is named.
pub(crate) fn shown(block: &ContentBlock) -> String {
    if let Some(binary) = Binary::in_block(block) {
        return binary.shown();
    }
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            _ => "[resource]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => clean(&link.uri),
        _ => "[content of a kind that is not known here; see --json]".to_owned(),
    }
}

/// Servers are lax about the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_files_have_a_number_before_their_extension() {
        for (path, index, name) in [
            ("a/plot.png", 0, "a/plot.png"),
            ("a/plot.png", 1, "a/plot-2.png"),
            ("plot", 2, "plot-3"),
            ("a.b/plot.tar.gz", 1, "a.b/plot.tar-2.gz"),
        ] {
            assert_eq!(numbered(Path::new(path), index), Path::new(name));
        }
    }

    #[test]
    fn the_length_that_is_shown_is_that_of_the_bytes() {
        for (base64, length) in [
            ("", 0),
            ("AA==", 1),
            ("AA", 1),
            ("AAA=", 2),
            ("AAAA", 3),
            ("AAAAAA==", 4),
        ] {
            let binary = Binary::new("image", "image/png", base64);
            assert_eq!(binary.bytes().expect("base64").len(), length);
            let told = format!("[image image/png, {length} bytes; --output FILE keeps it]");
            assert_eq!(binary.shown(), told);
        }
    }
}

//! What a server hands over: text to be read, and bytes to be kept in a file.

use std::fs::{self, File, OpenOptions};
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
    /// Write what is no text (images, audio, files) to FILE, further ones beside it with a number, and text where there is
    /// nothing else; - is standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With --output: replace files that are there
    #[arg(long, requires = "output")]
    force: bool,
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

    /// Whether something can be put there: to be asked before a server is, which may change something by what it is
    /// asked for.
    pub(crate) fn is_free(&self, output: &Output) -> Result<(), Failure> {
        match &self.output {
            Some(path) if is_stdout(path) => fits_stdout(output),
            Some(path) => self.must_be_free(path),
            None => Ok(()),
        }
    }

    /// Writes all of it, or nothing, and says where.
    pub(crate) fn save(&self, binaries: &[Binary<'_>], output: &Output) -> Result<(), Failure> {
        let Some(path) = &self.output else {
            return Ok(());
        };
        let mut parts = Vec::new();
        for binary in binaries {
            let bytes = binary.bytes()?;
            let told = binary.told(bytes.len());
            parts.push((bytes, told));
        }
        self.write(path, &parts, output)
    }

    /// Writes text as it came, which on a terminal or in a pipe is cleaned.
    pub(crate) fn save_text(&self, text: &str, output: &Output) -> Result<(), Failure> {
        let Some(path) = &self.output else {
            return output.data(text);
        };
        let told = format!("text, {} bytes", text.len());
        self.write(path, &[(text.as_bytes().to_vec(), told)], output)
    }

    /// For a file that was asked for, and there is nothing to be in it.
    pub(crate) fn nothing(&self, what: &str) -> Result<(), Failure> {
        let Some(path) = &self.output else {
            return Ok(());
        };
        Err(Failure::Unfit {
            why: format!(
                "{} was not written: {what} has nothing that goes into a file",
                clean(&path.to_string_lossy())
            ),
            next: "the same with --json in place of --output, which shows all that came".to_owned(),
        })
    }

    fn write(
        &self,
        path: &Path,
        parts: &[(Vec<u8>, String)],
        output: &Output,
    ) -> Result<(), Failure> {
        if is_stdout(path) {
            return to_stdout(parts, output);
        }
        // How many there are is said by the server.
        if parts.len() > MOST_FILES {
            return Err(Failure::Unfit {
                why: format!(
                    "there are {} parts, and at most {MOST_FILES} files are written",
                    parts.len()
                ),
                next: "the same with --json in place of --output".to_owned(),
            });
        }
        let paths: Vec<_> = (0..parts.len())
            .map(|index| numbered(path, index))
            .collect();
        for path in &paths {
            self.must_be_free(path)?;
        }
        for (path, (bytes, told)) in paths.iter().zip(parts) {
            let shown = clean(&path.to_string_lossy());
            let written = self.open(path).and_then(|mut file| file.write_all(bytes));
            written.map_err(|error| match error.kind() {
                // Somebody else was faster.
                io::ErrorKind::AlreadyExists => in_the_way(path),
                kind => Failure::Output(io::Error::new(kind, format!("{shown}: {error}"))),
            })?;
            output.note(&format!("wrote {shown}: {told}"));
        }
        Ok(())
    }

    fn must_be_free(&self, path: &Path) -> Result<(), Failure> {
        let is_there = fs::symlink_metadata(path).is_ok();
        match is_there && !self.force && !is_device(path) {
            true => Err(in_the_way(path)),
            false => Ok(()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true);
        if is_device(path) {
            return options.open(path);
        }
        match self.force {
            true => options.create(true).truncate(true),
            false => options.create_new(true),
        };
        options.open(path)
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether it is something that keeps nothing, such as `/dev/null` or a pipe with a name.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn in_the_way(path: &Path) -> Failure {
    Failure::Unfit {
        why: format!(
            "{} is there already, and was left as it is",
            clean(&path.to_string_lossy())
        ),
        next: "the same with --force, which replaces it, or with another FILE".to_owned(),
    }
}

fn fits_stdout(output: &Output) -> Result<(), Failure> {
    match output.terminal().stdout {
        true => Err(Failure::Unfit {
            why: "bytes are not written to a terminal, which would obey some of them".to_owned(),
            next: "--output FILE, or a pipe behind --output -".to_owned(),
        }),
        false => Ok(()),
    }
}

fn to_stdout(parts: &[(Vec<u8>, String)], output: &Output) -> Result<(), Failure> {
    fits_stdout(output)?;
    let [(bytes, _)] = parts else {
        return Err(Failure::Unfit {
            why: "there is more than one part, and standard output takes one".to_owned(),
            next: "--output FILE".to_owned(),
        });
    };
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
    match (Binary::in_block(block), text(block)) {
        (Some(binary), _) => binary.shown(),
        (None, Some(text)) => text,
        (None, None) => "[content of a kind that is not known here; see --json]".to_owned(),
    }
}

/// What of a block is text.
pub(crate) fn text(block: &ContentBlock) -> Option<String> {
    match block {
        ContentBlock::Text(text) => Some(text.text.clone()),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => Some(text.clone()),
            _ => None,
        },
        ContentBlock::ResourceLink(link) => Some(clean(&link.uri)),
        _ => None,
    }
}

/// How many files one answer may make.
const MOST_FILES: usize = 100;
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

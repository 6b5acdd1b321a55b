//! Where other programs keep their tables of MCP servers.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use doorkey::Environment;
use serde::Serialize;

/// A program whose table can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// Codex: `~/.codex/config.toml`
    Codex,
    /// Claude: `.mcp.json` here, `~/.claude.json`
    Claude,
    /// VS Code: `.vscode/mcp.json` here, `mcp.json` of the user
    Vscode,
    /// Cursor: `.cursor/mcp.json` here and at home
    Cursor,
    /// Gemini: `.gemini/settings.json` here and at home
    Gemini,
}

impl Source {
    /// The word on the command line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Claude => "claude",
            Self::Vscode => "vscode",
            Self::Cursor => "cursor",
            Self::Gemini => "gemini",
        }
    }

    /// What people call it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Codex => "Codex",
            Self::Claude => "Claude",
            Self::Vscode => "VS Code",
            Self::Cursor => "Cursor",
            Self::Gemini => "Gemini",
        }
    }

    /// The files it may have its table in, the nearest first; none of them need exist.
    pub(super) fn files(self, environment: &Environment, here: &Path) -> Vec<PathBuf> {
        let home = environment.folders().map(|folders| folders.home.as_path());
        let at_home = |path: &str| home.map(|home| home.join(path));
        let config = environment
            .folders()
            .map(|folders| folders.config.as_path());
        let found = match self {
            Self::Codex => vec![
                Some(here.join(".codex/config.toml")),
                match environment.variable("CODEX_HOME") {
                    Some(folder) => Some(Path::new(folder).join("config.toml")),
                    None => at_home(".codex/config.toml"),
                },
            ],
            Self::Claude => vec![Some(here.join(".mcp.json")), at_home(".claude.json")],
            Self::Vscode => vec![
                Some(here.join(".vscode/mcp.json")),
                config.map(|config| config.join("Code/User/mcp.json")),
                at_home("Library/Application Support/Code/User/mcp.json"),
            ],
            Self::Cursor => vec![
                Some(here.join(".cursor/mcp.json")),
                at_home(".cursor/mcp.json"),
            ],
            Self::Gemini => vec![
                Some(here.join(".gemini/settings.json")),
                at_home(".gemini/settings.json"),
            ],
        };
        let mut files: Vec<PathBuf> = Vec::new();
        for file in found.into_iter().flatten() {
            // Whoever is at home is here too.
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// Whose file that is, by its name; none where the name does not say.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let has = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
        let name = path.file_name()?.to_str()?;
        match name {
            "config.toml" => Some(Self::Codex),
            ".mcp.json" | ".claude.json" => Some(Self::Claude),
            "settings.json" if has(".gemini") => Some(Self::Gemini),
            "mcp.json" if has(".cursor") => Some(Self::Cursor),
            "mcp.json" if has(".vscode") || has("Code") => Some(Self::Vscode),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use doorkey::Folders;

    use super::*;

    #[test]
    fn every_file_that_is_looked_for_is_known_by_its_name() {
        let folders = Folders::new("/home/ada", "/home/ada/.config", "/home/ada/.local/state");
        let environment = Environment::default().with_folders(Some(folders));
        for source in Source::value_variants() {
            let files = source.files(&environment, Path::new("/work"));
            assert!(files.len() >= 2, "{files:?}");
            for file in files {
                assert_eq!(Source::of_file(&file), Some(*source), "{file:?}");
            }
        }
        assert_eq!(Source::of_file(Path::new("/x/servers.json")), None);
    }

    #[test]
    fn a_file_that_is_here_and_at_home_is_read_once() {
        let folders = Folders::new("/home/ada", "/home/ada/.config", "/home/ada/.local/state");
        let environment = Environment::default()
            .with_folders(Some(folders))
            .with_variable("CODEX_HOME", "/srv/codex");
        let here = Path::new("/home/ada");
        assert_eq!(Source::Cursor.files(&environment, here).len(), 1);
        let codex = Source::Codex.files(&environment, here);
        assert!(
            codex.contains(&PathBuf::from("/srv/codex/config.toml")),
            "{codex:?}"
        );
    }
}

//! The fenced blocks of a page of Markdown, and the commands in those that are sessions.

/// One fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    info: String,
    pub(super) text: String,
}

/// What is typed, and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) typed: String,
    /// Empty: the page does not say.
    pub(super) shown: String,
}

/// The fenced blocks of a page, in order.
pub(super) fn read(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block {
                    line: index + 1,
                    info: info.trim().to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    blocks
}

impl Block {
    /// The first word after the fence.
    pub(super) fn kind(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap_or_default()
    }

    /// Whether that word is said of it.
    pub(super) fn has(&self, word: &str) -> bool {
        self.info.split(' ').skip(1).any(|said| said == word)
    }

    /// Why a session is not run, if it is not.
    pub(super) fn reason(&self) -> Option<&str> {
        let (_, reason) = self.info.split_once("not-run:")?;
        Some(reason.trim())
    }

    /// Whether it is a session that is run.
    pub(super) fn is_run(&self) -> bool {
        self.kind() == "console" && self.reason().is_none()
    }

    /// How the last command ends.
    pub(super) fn exit(&self) -> i32 {
        let said = self
            .info
            .split(' ')
            .find_map(|word| word.strip_prefix("exit="));
        said.map_or(0, |code| code.parse().expect("a number"))
    }

    /// The commands of a session.
    pub(super) fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        for line in self.text.lines() {
            let last = commands.last_mut();
            match (line.strip_prefix("$ "), line.strip_prefix("> "), last) {
                (Some(typed), _, _) => commands.push(Command {
                    typed: typed.to_owned(),
                    shown: String::new(),
                }),
                (None, Some(more), Some(last)) if last.shown.is_empty() => {
                    last.typed.push('\n');
                    last.typed.push_str(more);
                }
                (None, _, Some(last)) => {
                    last.shown.push_str(line);
                    last.shown.push('\n');
                }
                (None, _, None) => panic!("a session begins with `$ `: {line:?}"),
            }
        }
        commands
    }
}

#[test]
fn a_page_is_taken_apart_into_its_blocks_and_their_commands() {
    let page = "text\n\n```console fresh exit=3\n$ doorkey a \\\n> b\nout 1\n\nout 2\n$ doorkey c # why\n```\n\n```toml\na = 1\n```\n```console not-run: no disk\n$ x\n```\n";
    let blocks = read(page);
    let kinds: Vec<_> = blocks
        .iter()
        .map(|block| (block.line, block.kind()))
        .collect();
    assert_eq!(kinds, [(3, "console"), (12, "toml"), (15, "console")]);
    assert!(blocks[0].has("fresh") && !blocks[0].has("terminal") && blocks[0].exit() == 3);
    assert!(blocks[0].is_run() && !blocks[1].is_run() && !blocks[2].is_run());
    assert_eq!(blocks[2].reason(), Some("no disk"));
    let command = |typed: &str, shown: &str| Command {
        typed: typed.to_owned(),
        shown: shown.to_owned(),
    };
    let expected = [
        command("doorkey a \\\nb", "out 1\n\nout 2\n"),
        command("doorkey c # why", ""),
    ];
    assert_eq!(blocks[0].commands(), expected);
}

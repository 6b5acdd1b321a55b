//! `doorkey completions`: what a shell needs to complete commands, options and the names of servers.

use std::collections::BTreeSet;

use clap::{Arg, Args, Command};
use clap_complete::{Shell, generate};
use doorkey::{Config, Environment, Home};

use super::exit::{Exit, Failure};
use super::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(required_unless_present = "names")]
    shell: Option<Shell>,
    /// The names of the servers, for the scripts
    #[arg(long, hide = true, conflicts_with = "shell")]
    names: bool,
}

impl Completions {
    pub(crate) fn run(
        &self,
        command: Command,
        environment: &Environment,
        output: &Output,
    ) -> Result<Exit, Failure> {
        match self.shell {
            Some(shell) => output.data(script(shell, command).trim_end())?,
            None => {
                for name in names(environment) {
                    output.data(&name)?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// Whatever is wrong with the configuration is told by the command itself, not while it is being typed.
fn names(environment: &Environment) -> Vec<String> {
    let config = Home::from_environment(environment).and_then(|home| Ok(Config::load(&home)?));
    let Ok(config) = config else {
        return Vec::new();
    };
    let names = config.servers().iter().map(|server| server.name.clone());
    names.filter(|name| is_plain(name)).collect()
}

/// A shell makes something of other characters, and a configuration may come from somebody else.
fn is_plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn script(shell: Shell, mut command: Command) -> String {
    let name = command.get_name().to_owned();
    let (in_bash, in_fish) = (bash(&command), fish(&command));
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => format!("{script}\n{in_bash}"),
        Shell::Zsh => zsh(&script),
        Shell::Fish => format!("{script}\n{in_fish}"),
        _ => script,
    }
}

/// The commands whose first own word names a server, such as `tools` and `resources read`.
fn takers(command: &Command, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for command in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        let path = format!("{path}{}", command.get_name());
        let first = command.get_positionals().next();
        if first.is_some_and(names_server) && command.get_name() != "add" {
            found.push(path.clone());
        }
        found.extend(takers(command, &format!("{path} ")));
    }
    found
}

/// Arguments that name servers are all called so; that of `add` names one that is not there yet.
fn names_server(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "name" | "names" | "server")
}

/// The options of all commands that are followed by a value, as they are typed.
fn valued(command: &Command) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for argument in command.get_opts().filter(|it| takes_value(it)) {
        found.extend(argument.get_long().map(|long| format!("--{long}")));
        found.extend(argument.get_short().map(|short| format!("-{short}")));
    }
    for command in command.get_subcommands() {
        found.extend(valued(command));
    }
    found
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values() && !option.is_require_equals_set()
}

fn bash(command: &Command) -> String {
    let takers = takers(command, "");
    let several = takers.iter().filter(|path| takes_several(command, path));
    let mut cases: Vec<_> = takers.iter().map(|it| format!("\"{it} \"")).collect();
    cases.extend(several.map(|it| format!("\"{it} \"*")));
    let valued: Vec<_> = valued(command).into_iter().collect();
    BASH.replace("CASES", &cases.join("|"))
        .replace("VALUED", &valued.join("|"))
}

/// Whether more than one server may be named.
fn takes_several(command: &Command, path: &str) -> bool {
    let command = command.find_subcommand(path);
    let first = command.and_then(|it| it.get_positionals().next());
    first.is_some_and(|it| it.get_id() == "names")
}

fn fish(command: &Command) -> String {
    let takers = takers(command, "");
    let lines = takers.iter().map(|path| {
        let words: Vec<_> = path.split(' ').collect();
        let seen: Vec<_> = words
            .iter()
            .map(|word| format!("__fish_seen_subcommand_from {word}"))
            .collect();
        format!(
            "complete -c doorkey -n \"{}\" -f -a \"(doorkey completions --names 2>/dev/null)\"\n",
            seen.join("; and ")
        )
    });
    lines.collect()
}

/// The generated script completes a server as a file.
fn zsh(script: &str) -> String {
    let mut lines: Vec<_> = script.lines().map(str::to_owned).collect();
    // `add` has a name of its own, and comes first.
    let mut is_of_add = false;
    for line in &mut lines {
        let start = line.trim_start();
        if let Some(case) = start.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
            is_of_add = case == "add";
        }
        let names_server = [
            "':name -- ",
            "'::name -- ",
            "'*::names -- ",
            "'::server -- ",
        ];
        if !is_of_add && names_server.iter().any(|it| start.starts_with(it)) {
            *line = line.replace(":_default'", ":_doorkey_servers'");
        }
    }
    let at = lines.iter().position(|line| line.starts_with("_doorkey()"));
    lines.insert(at.unwrap_or(lines.len()), ZSH.to_owned());
    lines.join("\n")
}

const BASH: &str = r#"_doorkey_servers() {
    _doorkey "$@"
    local word="${COMP_WORDS[COMP_CWORD]}" before="" typed is_value=""
    for typed in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        # bash makes a word of the sign in --account=work.
        if [[ $typed == "=" ]]; then is_value=1; continue; fi
        if [[ $is_value ]]; then is_value=""; continue; fi
        case "$typed" in
            VALUED) is_value=1 ;;
            -*) ;;
            *) before+="$typed " ;;
        esac
    done
    [[ $is_value ]] && return
    case "$before" in
        CASES)
            [[ $word == -* ]] || COMPREPLY+=( $(compgen -W "$(doorkey completions --names 2>/dev/null)" -- "$word") )
            ;;
    esac
}
complete -F _doorkey_servers -o bashdefault -o default doorkey
"#;

const ZSH: &str = r#"_doorkey_servers() {
    local -a servers
    servers=( ${(f)"$(doorkey completions --names 2>/dev/null)"} )
    compadd -a servers
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_shell_makes_something_of_are_not_offered() {
        assert!(is_plain("work-2_b"));
        for name in ["$(touch x)", "a b", "a;b", "`a`", "a\u{1b}[2J", "é"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn commands_that_name_a_server_are_found_wherever_they_are() {
        let takers = takers(&super::super::command(), "");
        for path in [
            "login",
            "tools",
            "call",
            "resources",
            "resources read",
            "prompts get",
            "enable",
            "disable",
            "status",
            "logout",
            "doctor",
        ] {
            assert!(takers.iter().any(|it| it == path), "{path} in {takers:?}");
        }
        for path in ["add", "list", "store", "completions"] {
            assert!(!takers.iter().any(|it| it == path), "{path} in {takers:?}");
        }
    }
}

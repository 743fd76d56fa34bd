//! The defaults of options that come from the environment.

use std::ffi::OsStr;

use clap::error::{ContextKind, ContextValue};

/// A variable with the default of an option.
struct Variable {
    name: &'static str,
    option: &'static str,
    /// Its letter, if it has one.
    letter: Option<char>,
}

const VARIABLES: [Variable; 3] = [
    Variable { name: "SEGY_IMPORT_CODEC", option: "--codec", letter: None },
    Variable { name: "SEGY_IMPORT_PROGRESS", option: "--progress", letter: None },
    Variable { name: "SEGY_IMPORT_WORKERS", option: "--workers", letter: Some('j') },
];

impl Variable {
    /// Whether its option is among the arguments.
    fn is_given(&self, arguments: &[String]) -> bool {
        let is_it = |argument: &String| match argument.strip_prefix('-') {
            Some(rest) if !rest.starts_with('-') => self.letter.is_some_and(|letter| rest.contains(letter)),
            _ => argument.split('=').next() == Some(self.option),
        };
        arguments.iter().take_while(|argument| *argument != "--").any(is_it)
    }
}

/// The command line with those defaults alone that count: a variable that is empty does not, and those of an import do not where
/// another command is asked for.
pub(super) fn with_defaults(command: clap::Command) -> clap::Command {
    let first = std::env::args_os().nth(1);
    let is_asked = first.is_some_and(|name| command.find_subcommand(name).is_some());
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let is_empty = |variable: &OsStr| std::env::var_os(variable).is_some_and(|value| value.is_empty());
    let command = without_defaults(command, &|variable| is_asked || is_empty(variable));
    names.iter().fold(command, |command, name| command.mut_subcommand(name, |one| without_defaults(one, &is_empty)))
}

/// The command without the defaults of these variables.
fn without_defaults(command: clap::Command, is_unused: &dyn Fn(&OsStr) -> bool) -> clap::Command {
    command.mut_args(|arg| match arg.get_env().is_some_and(is_unused) {
        true => arg.env(None::<&'static str>),
        false => arg,
    })
}

/// Names the variable of the environment in an error about a wrong value, if the value came from there. `arguments` are those of the
/// program.
pub(super) fn name_variable(error: &mut clap::Error, arguments: &[String]) {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return };
    let option = argument.split([' ', '=']).next();
    let variable = VARIABLES.iter().find(|variable| option == Some(variable.option));
    if let Some(variable) = variable.filter(|variable| !variable.is_given(arguments)) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable.name.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_given_by_its_name_or_its_letter() {
        let is_given = |option: &str, text: &str| {
            let variable = VARIABLES.iter().find(|variable| variable.option == option).unwrap();
            variable.is_given(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
        };
        for text in ["a b --workers 0", "--workers=0 a b", "a b -j 0", "a b -j0", "a b -qj 0"] {
            assert!(is_given("--workers", text), "{text}");
        }
        for text in ["line_0 out_0", "a b --workers-of-others 0", "a b -q", "a b -- -j 0", "a j"] {
            assert!(!is_given("--workers", text), "{text}");
        }
        assert!(is_given("--codec", "a b --codec zst") && !is_given("--codec", "codec b -c"));
    }

    #[test]
    fn every_variable_is_one_of_an_option() {
        let command = crate::cli::command();
        let args: Vec<_> = command.get_arguments().filter(|arg| arg.get_env().is_some()).collect();
        let of_args = args.iter().map(|arg| (format!("--{}", arg.get_long().unwrap()), arg.get_env().unwrap()));
        let mut found: Vec<_> = of_args.collect();
        found.sort();
        let known = VARIABLES.map(|variable| (variable.option.to_owned(), OsStr::new(variable.name)));
        assert_eq!(found, known);
    }
}

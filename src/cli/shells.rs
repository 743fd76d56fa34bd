//! `segy-import completions` and `segy-import man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::base::error::{Result, failed};
use crate::cli::progress::print_bytes;
use crate::cli::{NAME, command};

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "\
Examples: segy-import completions bash > ~/.local/share/bash-completion/completions/segy-import
          segy-import completions zsh > ~/.zfunc/_segy-import
          segy-import completions fish > ~/.config/fish/completions/segy-import.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), NAME, &mut script);
        if self.shell == Shell::Bash {
            // clap_complete 4.6 writes a name with a hyphen in two ways, so that no subcommand is found.
            script = String::from_utf8_lossy(&script).replace("segy__subcmd__import", "segy__import").into_bytes();
        }
        print_bytes(&script)
    }
}

/// Print the manual page, or write those of all commands into a directory
#[derive(Args)]
pub(super) struct ManArgs {
    /// Directory for a page of each command, segy-import.1 and others
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

impl ManArgs {
    pub(super) fn run(self) -> Result<()> {
        let Some(directory) = self.directory else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command()).render(&mut page).map_err(failed("the manual page"))?;
            return print_bytes(&page);
        };
        std::fs::create_dir_all(&directory).map_err(failed(directory.display()))?;
        clap_mangen::generate_to(command(), &directory).map_err(failed(directory.display()))
    }
}

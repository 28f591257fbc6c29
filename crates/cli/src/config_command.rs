//! `ballast config`.

use anyhow::Error;

use crate::args::ConfigCommand;
use terminal::print;

pub(crate) fn run(command: ConfigCommand) -> Result<(), Error> {
    match command {
        ConfigCommand::Schema => {
            Ok(print(serde_json::to_string_pretty(&ballast::train::schema())?)?)
        }
    }
}

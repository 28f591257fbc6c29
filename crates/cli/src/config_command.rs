//! `ballast config`.

use anyhow::Error;

use crate::args::ConfigCommand;

pub(crate) fn run(command: ConfigCommand) -> Result<(), Error> {
    match command {
        ConfigCommand::Schema => println!("{}", serde_json::to_string_pretty(&train::schema())?),
    }
    Ok(())
}

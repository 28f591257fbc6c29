//! `ballast elbo`.

use anyhow::{Context, Error};
use train::elbo::elbo_study;

use crate::args::Elbo;

pub(crate) fn run(args: Elbo) -> Result<(), Error> {
    let study = elbo_study(&args.folder, &mut |_| {}).context("measuring the bound")?;
    let training = &study.training;
    Ok(crate::output::print(format_args!(
        "trained bound {:.4} nats, best possible {:.4}: {:.4} short\nwritten to {}",
        training.elbo,
        training.best,
        training.best - training.elbo,
        args.folder.join("elbo.json").display()
    ))?)
}

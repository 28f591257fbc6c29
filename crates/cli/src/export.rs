//! `ballast export`.

use std::path::{Path, PathBuf};

use anyhow::Error;
use ballast::auto::{Form, Kept, NETWORK, POOL};
use ballast::export::{Format, Line, Network};
use ballast::train::ModelKind;

use crate::args::{Export, ExportFormat};
use crate::automatic::usage;
use crate::display::warn_of_skill;
use terminal::{leave_stdout_to, note, print};

/// Weight in a pool below which its network is next to nothing.
const NEXT_TO_NOTHING: f64 = 0.05;

pub(crate) fn run(args: &Export) -> Result<(), Error> {
    leave_stdout_to([args.output.as_deref()]);
    let kept = Kept::is_in(&args.run).then(|| Kept::read(&args.run)).transpose()?;
    if let Some(kept) = kept.as_ref().filter(|kept| !kept.has_network()) {
        return Err(without_network(&args.run, kept));
    }
    let network = Network::open(&args.run, &levels(args, kept.as_ref()))?;
    let format = match args.format {
        ExportFormat::Onnx => Format::Onnx,
        ExportFormat::Torchscript => Format::TorchScript,
        ExportFormat::Safetensors => Format::Safetensors,
    };
    let output = match &args.output {
        Some(output) => output.clone(),
        None => default_output(&args.run, format)?,
    };
    network.write(format, &output)?;
    if format != Format::Safetensors {
        let outputs = if format == Format::TorchScript { 1 } else { network.outputs().len() };
        for line in described(network.inputs(), &network.outputs()[..outputs]) {
            print(line)?;
        }
    }
    remarks(args, &network, kept.as_ref())?;
    Ok(print(format_args!("the network is written to {}", output.display()))?)
}

/// Rising levels: those asked for, else those of the pool, else the usual ones.
fn levels(args: &Export, kept: Option<&Kept>) -> Vec<f64> {
    let mut levels = match (args.levels.is_empty(), kept) {
        (false, _) => args.levels.clone(),
        (true, Some(kept)) => kept.levels().to_vec(),
        (true, None) => Form::default().levels,
    };
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}

/// The name of the run, with the usual ending, in the current folder.
fn default_output(run: &Path, format: Format) -> Result<PathBuf, Error> {
    let whole = std::path::absolute(run)?;
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(PathBuf::from(format!("{name}.{}", format.ending())))
}

fn without_network(run: &Path, kept: &Kept) -> Error {
    let reason = kept.without_network().map(|reason| format!(", since {reason}"));
    let message = format!(
        "this run has no network to export{}: its forecast is that of classical methods",
        reason.unwrap_or_default()
    );
    let hint = "forecast with `ballast forecast RUN --input CSV`, or train a network with `ballast train CONFIG`";
    usage(&run.display().to_string(), &message, hint)
}

/// One line for each input and output.
fn described(inputs: &[Line], outputs: &[Line]) -> Vec<String> {
    let line = |role: &str, Line { name, form, meaning }: &Line| {
        format!("{role} `{name}`, {form}: {meaning}")
    };
    let inputs = inputs.iter().map(|input| line("input", input));
    inputs.chain(outputs.iter().map(|output| line("output", output))).collect()
}

/// Facts that a user of the file has to know about the network in it.
fn remarks(args: &Export, network: &Network, kept: Option<&Kept>) -> Result<(), Error> {
    let run = network.run();
    if let Some(rows) = run.latest().refitted_on() {
        print(format_args!("its weights were fitted again on all {rows} rows"))?;
    }
    if run.config.model.kind == ModelKind::Autoencode {
        print("note: an autoencoder describes the window itself, and forecasts nothing")?;
    }
    let Some(kept) = kept else {
        warn_of_skill(&args.run);
        return Ok(());
    };
    let weight = kept.network_weight().unwrap_or(0.0);
    print(format_args!(
        "note: this is the network alone, which has {:.0} % of the weight in the forecast of this run; \
         `ballast forecast {} --input CSV` forecasts with all members",
        100.0 * weight,
        args.run.display()
    ))?;
    let crps = |name: &str| {
        let mut scores = kept.scores().iter();
        scores.find(|score| score.forecaster == name).map(|score| score.crps)
    };
    let worse = match (crps(NETWORK), crps(POOL)) {
        (Some(network), Some(pool)) => network / pool - 1.0,
        _ => f64::NAN,
    };
    if weight < NEXT_TO_NOTHING {
        note(
            "warning: the forecast of this run is that of its classical methods; \
             do not rely on the network by itself",
        );
    }
    if worse.is_finite() {
        let (share, word) = (100.0 * worse.abs(), if worse < 0.0 { "below" } else { "above" });
        print(format_args!(
            "on past rows its error (CRPS) was {share:.0} % {word} that of all members together"
        ))?;
    }
    Ok(())
}

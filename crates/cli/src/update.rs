//! `ballast update`.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, Error};
use ballast::auto::Kept;
use ballast::data::AddedRows;
use ballast::record::{self, UpdateScores};
use ballast::train::{Control, Mirror, RunOptions, Updated};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Update;
use crate::signals;
use crate::together;
use terminal::{count, print};

/// Series to name at most.
const MOST_NAMED: usize = 20;

pub(crate) fn run(args: Update) -> Result<(), Error> {
    let kept = Kept::is_in(&args.run).then(|| Kept::read(&args.run)).transpose()?;
    if kept.as_ref().is_some_and(|kept| !kept.has_network()) {
        let (run, input) = (args.run.display(), args.input.display());
        return Ok(print(format_args!(
            "the pool in {run} has no network, and its classical methods are fitted to each table that it forecasts: nothing \
             to do\nnext: ballast forecast {run} --input {input}"
        ))?);
    }
    let device = together::device(args.device);
    let options = RunOptions { device, threads: args.threads.map(usize::from) };
    let mut control = Control::new(signals::stop()?).save_every(args.save_every);
    control = control.with_group(together::group());
    let mirror = Mirror::new(control.group(), &args.run)?;
    if let Some(time) = args.max_time {
        control = control.max_time(time);
    }
    let bar = bar();
    let mut observe = |done: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let (run, input) = (&args.run, &args.input);
    let place = mirror.path();
    let updated = ballast::train::update(place, input, &args.set, options, &control, &mut observe);
    bar.finish_and_clear();
    let updated = updated.context("update")?;
    report(&updated, run, input)?;
    match kept.filter(|_| updated.update.is_some()) {
        Some(kept) => Ok(print(format_args!(
            "the members of the pool keep their weights, chosen when there were {} rows; `ballast forecast {}` chooses them again",
            kept.rows(),
            input.display()
        ))?),
        None => Ok(()),
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    if !std::io::stdout().is_terminal() || !together::is_first() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {elapsed} + {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn report(updated: &Updated, run: &Path, input: &Path) -> Result<(), Error> {
    let Updated { update, added, revised, known, left_out } = updated;
    added.iter().take(MOST_NAMED).try_for_each(|added| print(line(added)))?;
    if added.len() > MOST_NAMED {
        let rest = &added[MOST_NAMED..];
        let rows: usize = rest.iter().map(|added| added.rows).sum();
        print(format_args!("{rows} new rows in {} other series", rest.len()))?;
    }
    for series in left_out.iter().take(MOST_NAMED) {
        print(format_args!("series `{}` is left out: {}", series.series, series.reason))?;
    }
    if *revised > 0 {
        let were = if *revised == 1 { "was" } else { "were" };
        print(format_args!("{revised} of the {known} earlier rows {were} revised"))?;
    }
    let Some(update) = update else {
        let file = input.display();
        return Ok(print(format_args!(
            "{file} has no row after those that {} knows: nothing to do",
            run.display()
        ))?);
    };
    print(trained(update))?;
    print(update.scores.as_ref().map_or_else(unscored, scored))?;
    let run = run.display();
    Ok(print(format_args!(
        "written to {run}\nnext: ballast forecast {run} --input {}",
        update.input
    ))?)
}

fn line(added: &AddedRows) -> String {
    let AddedRows { series, rows, first, last } = added;
    match rows {
        1 => format!("series `{series}`: 1 new row, {first}"),
        rows => format!("series `{series}`: {rows} new rows, {first} to {last}"),
    }
}

fn trained(update: &record::Update) -> String {
    let record::Update { rows, windows, added_windows, steps, learning_rate, filled, .. } = update;
    let mut text = match steps {
        0 => "no step: validation had selected the start of the training".to_owned(),
        steps => format!(
            "{} of size {learning_rate:.1e} on all {rows} rows, {}; {added_windows} reach into the new rows",
            count(*steps, "step"),
            count(*windows as usize, "window")
        ),
    };
    if *filled > 0 {
        text += &format!(
            "\nnote: the model was trained without gaps, so {filled} missing cells take the value before them"
        );
    }
    text
}

fn unscored() -> String {
    "no score: no window has an observed target in the new rows".to_owned()
}

fn scored(scores: &UpdateScores) -> String {
    let UpdateScores { windows, before, after, naive_name, naive } = scores;
    format!(
        "CRPS on the new rows ({}, standardized): {before:.4} with the old weights, which had not seen them; \
         {after:.4} with the new ones, which have; {naive_name} {naive:.4}",
        count(*windows as usize, "window")
    )
}

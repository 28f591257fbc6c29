//! Exported forecasts against Ballast's own, with the same rows and the same noise.

mod cases;
mod files;
mod noise;
mod python;
mod scene;
mod table;

use std::sync::{Mutex, PoisonError};

use scene::{Scene, WINDOWS};

/// Largest difference of a forecast, in standard deviations of its samples.
const CLOSE: f64 = 1e-5;

/// Torch's generator is one for all threads.
static ALONE: Mutex<()> = Mutex::new(());

/// Every case: libtorch runs the recorded module with one window and with several; Python runs both files.
#[test]
fn forecasts_are_those_of_ballast() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for case in cases::all() {
        let scene = Scene::new(&case, folder.path());
        let gap = scene.gap(&scene.run_unrecorded(), WINDOWS);
        assert!(gap < CLOSE, "{}: {gap:.1e} unrecorded", case.name);
        let torch = scene.torchscript();
        for windows in [WINDOWS, 1] {
            let found = scene.run(&torch, windows);
            let gap = scene.gap(&found, windows);
            assert!(gap < CLOSE, "{}: {gap:.1e} with {windows} windows", case.name);
        }
        scene.write(&folder.path().join(&case.name));
        names.push(case.name);
    }
    python::compare(folder.path(), &names);
}

/// Without its noise a forecast is another one, and so it is in other units.
#[test]
fn noise_and_units_matter() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let case = cases::all().swap_remove(0);
    let scene = Scene::new(&case, folder.path());
    let torch = scene.torchscript();
    for (input, factor) in [("latent_noise", 0.0), ("value_noise", 0.0), ("context", 1.001)] {
        let other = scene.with_input(input, factor);
        let gap = scene.gap(&other.run(&torch, WINDOWS), WINDOWS);
        assert!(gap > 1e-3, "{input} times {factor} changes the forecast by {gap:.1e} only");
    }
}

use super::*;

fn epoch(number: usize) -> Epoch {
    Epoch { epoch: number, loss: f64::NAN, ..Epoch::default() }
}

#[test]
fn epochs_are_appended_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(&folder.path().join("a/b")).unwrap();
    run.write_epochs(&[epoch(1)]).unwrap();
    run.append_epoch(&epoch(2)).unwrap();
    let numbers: Vec<usize> = run.read_epochs().unwrap().iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(numbers, [1, 2]);
    run.write_epochs(&[epoch(3)]).unwrap();
    assert_eq!(run.read_epochs().unwrap().len(), 1, "the file starts over");
}

#[test]
fn a_run_is_open_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(folder.path()).unwrap();
    for file in [run.config(), run.info(), run.weights()] {
        let error = RunDirectory::open(folder.path()).unwrap_err();
        assert_eq!(error.exit_code(), 66);
        assert!(error.to_string().contains("ballast train CONFIG --run"), "{error}");
        fs::write(file, "").unwrap();
    }
    RunDirectory::open(folder.path()).unwrap();
}

#[test]
fn results_are_removed_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(folder.path()).unwrap();
    let kept = [
        run.config(),
        run.checkpoint(),
        run.metrics(),
        run.noise(),
        folder.path().join("scores.txt"),
        folder.path().join("other.csv"),
    ];
    let results = [run.info(), run.evaluation(), run.features(), run.weights(), run.last_weights()];
    let scores = [run.scores(None), run.scores(Some(4))];
    for file in kept.iter().chain(&results).chain(&scores) {
        fs::write(file, "").unwrap();
    }
    assert!(run.begun());
    for _ in 0..2 {
        run.remove_results().unwrap();
        assert!(results.iter().chain(&scores).all(|file| !file.exists()));
        assert!(kept.iter().all(|file| file.exists()));
    }
}

/// Of the updates the last one stays, without the state of its training; training again removes it.
#[test]
fn the_last_update_stays() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(folder.path()).unwrap();
    assert_eq!(run.read_known().unwrap(), None);
    run.write_known(&Known::new(Vec::new())).unwrap();
    assert_eq!(run.read_known().unwrap(), Some(Known::new(Vec::new())));
    for number in [1, 2] {
        let update = RunDirectory::create(run.update(number).path()).unwrap();
        let state = RunDirectory::create(&update.path().join("state-1")).unwrap();
        for file in [update.weights(), update.known(), state.checkpoint()] {
            fs::write(file, "").unwrap();
        }
    }
    run.keep_update(2).unwrap();
    assert!(!run.update(1).path().exists() && !run.update(2).path().join("state-1").exists());
    assert!(run.update(2).weights().exists() && run.update(2).known().exists());
    run.remove_results().unwrap();
    assert!(!run.updates().exists() && !run.known().exists());
}

/// The holder of the lock is alone, so what others left half-written is nobody's.
#[test]
fn a_lock_is_exclusive_and_sweeps() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(folder.path()).unwrap();
    let unfinished = folder.path().join(".ballast-x1y2z3.part");
    fs::write(&unfinished, "").unwrap();
    let _held = run.lock().unwrap();
    assert!(!unfinished.exists());
    let error = run.lock().unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

/// Files in a folder of a run cannot be led elsewhere.
#[test]
fn a_folder_that_is_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(&folder.path().join("run")).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, run.search()).unwrap();
    for path in [run.search(), run.search().join("1-plain")] {
        let error = run.create_in(&path).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        assert!(error.to_string().contains("run/search: is a link"), "{error}");
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    let inner = run.create_in(&run.updates().join("1")).unwrap();
    assert_eq!(inner.path(), run.update(1).path());
    assert!(inner.path().is_dir() && run.create_in(inner.path()).is_ok());
}

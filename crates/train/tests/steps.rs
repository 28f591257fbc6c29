//! Steps taken one by one. The test has a process of its own, because nothing else may draw.

use std::collections::BTreeMap;

use tch::{Device, Tensor};
use train::{Config, Control, Loaded, RunOptions, Steps, load, prepare};

/// Oracle: a training of as many steps, whose weights they have bit for bit.
#[test]
fn steps_are_those_of_a_training() {
    let text = "seed = 3\ndata = { source = \"seattle-weather\", context = 28, horizon = 7 }\n\
                [model]\ninstance_norm = true\n\
                [train]\nepochs = 1\nsteps_per_epoch = 6\nrefit = false\nema_decay = 0\nkeep = \"last\"\n";
    let config = Config::parse(text, "test", &[]).unwrap();
    let mut steps = Steps::new(&config, load(&config, Device::Cpu).unwrap()).unwrap();
    for _ in 0..6 {
        let batch = steps.batch().unwrap();
        let terms = steps.passes(&batch).unwrap();
        steps.update(&terms, batch.context.size()[0]).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let training = prepare(&config, &run, RunOptions::default()).unwrap();
    training.run(&Control::default(), &mut |_| {}).unwrap();
    let trained = Loaded::open(&run).unwrap().forecaster(steps.source().panel()).unwrap();
    let weights = |variables: std::collections::HashMap<String, Tensor>| {
        variables.into_iter().collect::<BTreeMap<_, _>>()
    };
    let (found, expected) =
        (weights(steps.forecaster().store().variables()), weights(trained.store().variables()));
    assert!(!expected.is_empty());
    assert_eq!(found, expected);
}

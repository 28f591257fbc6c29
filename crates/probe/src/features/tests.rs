//! Features of untrained models, from config to record.

use tch::Device;

use super::*;
use train::shape;

fn config(kind: &str, noise: &str) -> Config {
    let text = format!(
        "seed = 0\n[data]\nsource = \"seattle-weather\"\ncontext = 9\nhorizon = 3\n\
        targets = [\"temp_max\", \"wind\"]\n[noise]\n{noise}\n\
        [model]\nkind = \"{kind}\"\nhidden = 8\nlatent = 2\ndropout = 0\n\
        [objective]\nlikelihood = \"gaussian\"\nkl_weight = 1\ncrps_weight = 0\n"
    );
    Config::parse(&text, "test", &[]).unwrap()
}

fn measure(config: &Config, steps: usize) -> (Source, Forecaster, Features) {
    let source = load(config, Device::Cpu).unwrap();
    let forecaster = Forecaster::new(config, shape(source.panel()), Device::Cpu).unwrap();
    let found = features(&source, config, &forecaster, None, steps).unwrap();
    (source, forecaster, found)
}

#[test]
fn steps_are_evenly_spaced_from_the_first_to_the_last() {
    assert_eq!(evenly(100, 11), (0..=10).map(|k| 10 * k).collect::<Vec<_>>());
    assert_eq!(evenly(5, 100), [0, 1, 2, 3, 4, 5]);
    assert_eq!(evenly(10, 4), [0, 3, 7, 10]);
    assert_eq!(evenly(7, 0), [0, 7]);
    assert_eq!(evenly(0, 11), [0]);
}

/// Oracle: the clean pass of training and evaluation, whose input is the clean window through the
/// transformation at `t = 0`, here a doubling.
#[test]
fn features_of_the_first_step_are_those_of_clean_windows() {
    let noise =
        "schedule = \"linear\"\nsteps = 10\ninput = { reinject = 1.0, normalization = \"none\" }";
    let config = config("predict", noise);
    let source = load(&config, Device::Cpu).unwrap();
    let forecaster = Forecaster::new(&config, shape(source.panel()), Device::Cpu).unwrap();
    let process = Process::new(config.noise.fixed().unwrap(), Device::Cpu).unwrap();
    let some = source.windows(Part::Test).at_most(50);
    let windows = NoisedWindows::gather(&forecaster, source.panel(), &some, 0).unwrap();
    let batch = source.panel().gather(&some.first_rows().unwrap()).unwrap();
    let gap = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
    no_grad(|| {
        let found = windows.encode(&forecaster, &process, 0).unwrap();
        let expected = forecaster.clean_pass(&batch, None).unwrap().0;
        assert!(gap(&found.features, expected.latents[0].posterior.mean()) < 1e-5);
        let (futures, contexts) = windows.truth().unwrap();
        assert!(gap(&found.raw, &(&contexts * 2.0)) < 1e-5, "x + x_0");
        let instance = forecaster.model().instance(&batch.context, None).unwrap();
        let target = instance.apply(&batch.target).unwrap().flatten(1, 2);
        assert!(gap(&futures, &target) < 1e-5, "clean, and relative to the window");
        let later = windows.encode(&forecaster, &process, 10).unwrap();
        assert!(gap(&later.features, &found.features) > 1e-3, "noise changes them");
        let again = windows.encode(&forecaster, &process, 10).unwrap();
        assert_eq!(again.features, later.features, "the noise is the same every time");
    });
}

/// Oracle: with variance normalization and any noise `x̃_t = √ᾱ x_0 + √(1 − ᾱ) ε`, ᾱ the equivalent one,
/// with one ε for all steps: the ε that remains after the signal is the same at every step, and normal.
#[test]
fn windows_are_noised_as_the_process_says_with_one_noise() {
    let config = config("predict", "schedule = \"cosine\"\nsteps = 10");
    let noise = config.noise.fixed().unwrap();
    let source = load(&config, Device::Cpu).unwrap();
    let forecaster = Forecaster::new(&config, shape(source.panel()), Device::Cpu).unwrap();
    let process = Process::new(noise, Device::Cpu).unwrap();
    let some = source.windows(Part::Train).at_most(600);
    let windows = NoisedWindows::gather(&forecaster, source.panel(), &some, 1).unwrap();
    let context = windows.truth().unwrap().1;
    let epsilon = |t: usize| {
        let alpha_bar = noise.input().equivalent_alpha_bar()[t];
        let seen = no_grad(|| windows.encode(&forecaster, &process, t)).unwrap().raw;
        (seen - &context * alpha_bar.sqrt()) / (1.0 - alpha_bar).sqrt()
    };
    let (early, late) = (epsilon(3), epsilon(10));
    assert!((&early - &late).abs().max().double_value(&[]) < 1e-4);
    let count = late.numel() as f64;
    let mean = late.mean(Kind::Double).double_value(&[]);
    let square = late.square().mean(Kind::Double).double_value(&[]);
    assert!(mean.abs() < 6.0 / count.sqrt(), "{mean}");
    assert!((square - 1.0).abs() < 6.0 * (2.0 / count).sqrt(), "{square}");
}

#[test]
fn without_noise_there_is_one_step() {
    let (_, _, found) = measure(&config("autoencode", "schedule = \"none\""), 11);
    let [only] = found.steps.as_slice() else { panic!("{found:?}") };
    assert_eq!((only.t, only.alpha_bar_equivalent), (0, 1.0));
    assert_eq!((only.snr_db, only.possible_information), (None, None));
    assert_eq!(only.mutual_information, only.mutual_information_noised);
    assert!(only.raw_context.r2.unwrap() > 0.999, "the window itself: {only:?}");
    assert_eq!(found.noise, ProcessOrigin::Own);
}

/// Kinds with a learned prior have features, but no posterior of the context alone. Values that are not finite come
/// back from JSON as absent.
#[test]
fn every_kind_has_features_and_reads_back() {
    for (kind, feature) in [
        ("autoencode", Feature::PosteriorMean),
        ("predict", Feature::PosteriorMean),
        ("conditional", Feature::PriorMean),
        ("hierarchical", Feature::PriorMean),
    ] {
        let (_, forecaster, found) = measure(&config(kind, "schedule = \"linear\"\nsteps = 4"), 3);
        let own = feature == Feature::PosteriorMean;
        assert_eq!((found.feature, found.left_out.len()), (feature, usize::from(!own)));
        assert_eq!(found.steps.iter().map(|step| step.t).collect::<Vec<_>>(), [0, 2, 4]);
        for step in &found.steps {
            assert_eq!(step.mutual_information.is_some(), own);
            let limit = step.mutual_information_limit.map(f64::exp);
            assert!(limit.is_none_or(|n| (n - found.windows.test as f64).abs() < 1e-6));
            assert_eq!(step.kl_per_dim.len() as i64, forecaster.model().groups());
            let sum: f64 = step.kl_per_dim.iter().flatten().sum();
            assert!((step.kl - sum).abs() < 1e-9 && step.kl >= 0.0, "{step:?}");
            assert!(step.probe_future.error.unwrap() > 0.0);
        }
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Features>(&text).unwrap().steps.len(), 3, "{kind}");
    }
}

#[test]
fn too_few_windows_are_an_error() {
    let mut config = config("predict", "schedule = \"linear\"\nsteps = 4");
    config.data.split = toml::from_str::<std::collections::HashMap<String, data::SplitConfig>>(
        "split = { rows = [1000, 100, 4] }",
    )
    .unwrap()
    .remove("split")
    .unwrap();
    let source = load(&config, Device::Cpu).unwrap();
    let forecaster = Forecaster::new(&config, shape(source.panel()), Device::Cpu).unwrap();
    let error = features(&source, &config, &forecaster, None, 3).unwrap_err();
    let (part, found, least) = ("test", 2, 3);
    let is_it = matches!(error, TrainError::TooFewWindows { part: p, found: f, least: l }
        if (p, f, l) == (part, found, least));
    assert!(is_it, "{error}");
    assert_eq!(error.exit_code(), 65);
}

//! The CRPS of forecasts as a part of the objective.

use feed::{Batch, Columns, DevicePanel};
use objective::score::{PairEstimator, crps};
use tch::{Kind, Tensor};
use train::{Config, Device, Forecaster, shape};

fn forecaster(kind: &str, target: &str, weight: f64) -> (Forecaster, Batch) {
    let text = format!(
        "[data]\nsource = \"seattle-weather\"\ncontext = 16\nhorizon = 4\n\
        [noise]\nschedule = \"linear\"\nsteps = 20\nbeta_start = 0\nbeta_end = 0\n\
        target = {{ {target} }}\n\
        [model]\nkind = \"{kind}\"\nhidden = 16\nlatent = 2\ndropout = 0\n\
        [objective]\nlikelihood = \"gaussian\"\nkl_weight = 1\ncrps_weight = {weight}\ncrps_samples = 6\n"
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    let columns = Columns { context: 16, horizon: 4, targets: 2, past: 0, future: 0 };
    // Growing waves give windows of different scales.
    let wave = |i: f32| 0.02 * i * (i * 0.7).sin() + 1.0;
    let values: Vec<f32> = (0..400_u16).map(|i| wave(f32::from(i))).collect();
    let observed: Vec<bool> = (0..400).map(|i| i % 7 > 0).collect();
    let panel = DevicePanel::new(&values, Some(&observed), columns, Device::Cpu).unwrap();
    tch::manual_seed(5);
    let forecaster = Forecaster::new(&config, shape(&panel), Device::Cpu).unwrap();
    let starts = Tensor::arange(100, (Kind::Int64, Device::Cpu));
    (forecaster, panel.gather(&starts).unwrap())
}

/// Oracle: the fair CRPS of 4000 forecasts, sampled as at forecast time, within 6 standard errors. There is no noise
/// (β = 0), but its scaling of windows remains.
#[test]
fn the_loss_gains_the_crps_of_forecasts() {
    let _guard = tch::no_grad_guard();
    for (kind, target) in [
        ("conditional", "scale = 0"),
        ("predict", "scale = 0"),
        ("conditional", "likelihood = \"direct\", reinject = 1, normalization = \"none\""),
        ("autoencode", "scale = 0"),
    ] {
        let (plain, batch) = forecaster(kind, target, 0.0);
        let (scored, _) = forecaster(kind, target, 2.5);
        let gains: Vec<f64> = (0..200)
            .map(|seed| {
                let loss = |forecaster: &Forecaster| {
                    tch::manual_seed(seed);
                    forecaster.training_terms(&batch, 0).unwrap().loss.double_value(&[])
                };
                loss(&scored) - loss(&plain)
            })
            .collect();
        let gains = Tensor::from_slice(&gains);
        let error = gains.std(true).double_value(&[]) / 200f64.sqrt();

        let (truth, observed) = scored.truth(&batch);
        let observed = observed.unwrap();
        let samples = scored.sample(&batch, 4000).unwrap();
        let expected = crps(&samples, truth, PairEstimator::Fair).unwrap();
        let expected = (expected * observed).sum(Kind::Double) / 100.0 * 2.5;
        let gap = gains.mean(None) - expected.shallow_clone();
        let z = gap.double_value(&[]) / error;
        assert!(z.abs() < 6.0, "{kind}: {z:.1} standard errors of {error:.4} from {expected:?}");
    }
}

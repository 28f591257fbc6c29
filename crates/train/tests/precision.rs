//! Networks in bf16 with distributions in f32.

use feed::{Batch, Columns, DevicePanel};
use train::{Config, Device, Flat, Forecaster, shape};

fn forecaster(backbone: &str, kind: &str, precision: &str) -> (Forecaster, Batch) {
    let text = format!(
        "[data]\nsource = \"seattle-weather\"\ncontext = 16\nhorizon = 4\n\
        [noise]\nschedule = \"linear\"\nsteps = 20\n\
        [model]\nkind = \"{kind}\"\nbackbone = \"{backbone}\"\nhidden = 16\nlatent = 2\npatch = 4\ndropout = 0\n\
        [objective]\nlikelihood = \"gaussian\"\nkl_weight = 1\ncrps_weight = 0\n\
        [train]\nprecision = \"{precision}\"\n"
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    let columns = Columns { context: 16, horizon: 4, targets: 2, past: 0, future: 0 };
    let values: Vec<f32> = (0..200_u16).map(|i| (f32::from(i) * 0.7).sin()).collect();
    let panel = DevicePanel::new(&values, None, columns, Device::Cpu).unwrap();
    tch::manual_seed(5);
    let forecaster = Forecaster::new(&config, shape(&panel), Device::Cpu).unwrap();
    let starts = tch::Tensor::arange(60, (tch::Kind::Int64, Device::Cpu));
    (forecaster, panel.gather(&starts).unwrap())
}

/// Oracle: the same weights and draws in f32; bf16 has 8 bits, which is about one percent.
#[test]
fn bf16_is_f32_up_to_its_digits() {
    for kind in ["autoencode", "predict", "conditional", "hierarchical"] {
        for backbone in ["linear", "mlp", "gru", "conv", "patch"] {
            let loss = |precision| {
                let (forecaster, batch) = forecaster(backbone, kind, precision);
                let flat = Flat::new(forecaster.store()).unwrap();
                tch::manual_seed(6);
                let terms = forecaster.training_terms(&batch, 0).unwrap();
                terms.loss.backward();
                let samples = forecaster.sample(&batch, 3).unwrap();
                assert_eq!(
                    (terms.loss.kind(), samples.kind()),
                    (tch::Kind::Float, tch::Kind::Float)
                );
                let gradient = flat.gradients().copy();
                (terms.loss.double_value(&[]), gradient)
            };
            let (whole, half) = (loss("f32"), loss("bf16"));
            let relative = (whole.0 - half.0).abs() / whole.0.abs();
            assert!(relative < 0.02, "{kind} {backbone}: {} against {}", half.0, whole.0);
            let off = ((&whole.1 - &half.1).norm() / whole.1.norm()).double_value(&[]);
            assert!(off < 0.1, "{kind} {backbone}: the gradient is {off} away");
            assert!(off > 1e-4, "{kind} {backbone}: nothing was computed in bf16");
            // The default on the CPU is f32.
            assert_eq!(loss("auto").0, whole.0);
        }
    }
}

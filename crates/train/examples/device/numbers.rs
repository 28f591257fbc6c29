//! Results of every kind on a device, against those of the CPU.

use std::path::Path;

use feed::{Batch, Part};
use tch::{Device, Kind, Tensor, no_grad};
use train::{Config, Forecaster, ModelKind, inputs, load, shape};

use crate::table::Table;
use crate::{Result, config};

const KINDS: [(ModelKind, &str); 4] = [
    (ModelKind::Autoencode, "autoencode"),
    (ModelKind::Predict, "predict"),
    (ModelKind::Conditional, "conditional"),
    (ModelKind::Hierarchical, "hierarchical"),
];

/// Log density of each window at the posterior mean, and its gradient: nothing is drawn, so that devices can agree.
struct Results {
    log_density: Tensor,
    gradient: Tensor,
}

/// Adds the largest differences of each kind in f32 and bf16.
pub(crate) fn add(table: &mut Table, walk: &Path, device: Device) -> Result<()> {
    for (kind, name) in KINDS {
        let of = |precision: &str| {
            let data = format!("path = {walk:?}\ncontext = 24\nhorizon = 24");
            let more = format!(
                "[model]\nkind = \"{name}\"\ndropout = 0.0\n[objective]\ncrps_weight = 0.0\n\
                 [train]\nridge_start = false\nprecision = \"{precision}\""
            );
            config(&data, &more)
        };
        let exact = of("f32")?;
        tch::manual_seed(7);
        let weights = {
            let source = load(&exact, Device::Cpu)?;
            Forecaster::new(&exact, shape(source.panel()), Device::Cpu)?
        };
        let expected = results(&exact, kind, &weights, Device::Cpu)?;
        for precision in ["f32", "bf16"] {
            let found = results(&of(precision)?, kind, &weights, device)?;
            let gap = |found: &Tensor, expected: &Tensor| {
                ((found - expected).norm() / expected.norm()).double_value(&[])
            };
            let density = gap(&found.log_density, &expected.log_density);
            let gradient = gap(&found.gradient, &expected.gradient);
            let name = format!("{name} in {precision}, difference from the CPU in f32");
            table.add(&name, density, "", &format!("relative; gradient {gradient:.1e}"));
        }
    }
    Ok(())
}

fn results(
    config: &Config,
    kind: ModelKind,
    weights: &Forecaster,
    device: Device,
) -> Result<Results> {
    let source = load(config, device)?;
    let mut forecaster = Forecaster::new(config, shape(source.panel()), device)?;
    no_grad(|| forecaster.store_mut().copy(weights.store()))?;
    let windows = source.windows(Part::Train).at_most(64);
    let batch = source.panel().gather(&windows.first_rows()?)?;
    let log_density = density(&forecaster, &batch, kind)?;
    log_density.f_sum(Kind::Float)?.f_backward()?;
    let mut variables: Vec<_> = forecaster.store().variables().into_iter().collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    let gradients = variables.iter().map(|(_, variable)| variable.grad()).filter(Tensor::defined);
    let flat: Vec<Tensor> =
        gradients.map(|gradient| gradient.to_device(Device::Cpu).reshape([-1])).collect();
    Ok(Results {
        log_density: log_density.detach().to_device(Device::Cpu).to_kind(Kind::Double),
        gradient: Tensor::f_cat(&flat, 0)?.to_kind(Kind::Double),
    })
}

/// `log p(y | z, x)` at the posterior mean, `[B]`.
fn density(forecaster: &Forecaster, batch: &Batch, kind: ModelKind) -> Result<Tensor> {
    let (_, context, target) = forecaster.relative(batch)?;
    let values = if kind == ModelKind::Autoencode {
        context.shallow_clone()
    } else {
        target.shallow_clone()
    };
    let seen = inputs(batch, context, None)?;
    let model = forecaster.model();
    let law = forecaster.computed(|| model.decode(&model.encode(&seen, Some(&target))?, &seen))?;
    Ok(law.log_prob(&values)?.f_sum_dim_intlist([-2_i64, -1].as_slice(), false, Kind::Float)?)
}

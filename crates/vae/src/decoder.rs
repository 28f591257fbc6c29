//! The decoder, which turns latent variables into a likelihood over the target.

use objective::elbo::sum_over_target;
use objective::{Family, Likelihood};
use tch::Tensor;
use tch::nn::{Init, Path};

use crate::error::Result;
use crate::layer::{Activation, HEAD_GAIN, LOG_SCALE_BOUND, Linear, Part, part, soft_bound, whole};
use crate::{Channels, Location, ModelConfig, Observation, Scale};

/// Degrees of freedom above two of a Student-t likelihood at the start: ν = 5.
const EXCESS_DF: f64 = 3.0;

/// Hidden layers and one head for location and, where it is predicted, log scale.
///
/// ```text
/// loc = W h + b [+ linear skip],    ln scale = bound(…)
/// ```
///
/// At the start `loc` is close to the skip, or to zero without one, and the scale to one, or to the fixed scale.
/// With the location `skip`, `loc` is always the skip, or zero.
#[derive(Debug)]
pub(crate) struct Decoder {
    layers: Vec<Linear>,
    head: Linear,
    activation: Activation,
    /// Whether the head has outputs for the location.
    locates: bool,
    scale: LogScale,
    law: Law,
    steps: i64,
    channels: i64,
    layout: Channels,
}

/// A family with the parameters that its likelihood has besides location and scale.
#[derive(Debug)]
enum Law {
    Gaussian,
    Laplace,
    /// `[C]`, before its bound.
    StudentT {
        log_excess_df: Tensor,
    },
}

#[derive(Debug)]
enum LogScale {
    Fixed(f64),
    /// `[1]` or `[T, C]`.
    Learned(Tensor),
    Predicted,
}

impl Decoder {
    /// `steps`: `T`, the horizon, or the context for a model of the window itself.
    pub(crate) fn new(
        path: &Path,
        config: &ModelConfig,
        family: Family,
        inputs: &[Part],
        [steps, channels]: [i64; 2],
    ) -> Result<Decoder> {
        let hidden = config.hidden;
        let activation = Activation { nonlinear: config.nonlinear(), dropout: config.dropout };
        let depth = if config.nonlinear() { config.decoder_layers } else { 0 };
        let inside = |i: i64| if i == 0 { inputs.to_vec() } else { vec![part("hidden", hidden)] };
        let layers = (0..depth)
            .map(|i| {
                let path = path.sub(format!("layer{i}"));
                Linear::new(&path, &inside(i), hidden, activation.gain())
            })
            .collect::<Result<_>>()?;
        let per_row = if config.channels == Channels::Joint { channels } else { 1 };
        let locates = config.location == Location::Predicted;
        let outputs = i64::from(locates) + i64::from(config.scale == Scale::Predicted);
        let head =
            Linear::new(&(path / "head"), &inside(depth), outputs * steps * per_row, HEAD_GAIN)?;
        let likelihood = path / "likelihood";
        let scale = match config.scale {
            Scale::Fixed(scale) => LogScale::Fixed(scale.ln()),
            Scale::Global => LogScale::Learned(likelihood.f_zeros("log_scale", &[1])?),
            Scale::PerStep => {
                LogScale::Learned(likelihood.f_zeros("log_scale", &[steps, channels])?)
            }
            Scale::Predicted => LogScale::Predicted,
        };
        let law = match family {
            Family::Gaussian => Law::Gaussian,
            Family::Laplace => Law::Laplace,
            Family::StudentT => {
                let init = Init::Const(EXCESS_DF.ln());
                Law::StudentT {
                    log_excess_df: likelihood.f_var("log_excess_df", &[channels], init)?,
                }
            }
        };
        let layout = config.channels;
        Ok(Decoder { layers, head, activation, locates, scale, law, steps, channels, layout })
    }

    /// # Shapes
    /// `inputs`: as declared, each broadcastable to `[.., B, G, size]`; `skip`: `[B, T, C]`.
    /// The likelihood is over `[.., B, T, C]`.
    pub(crate) fn forward(
        &self,
        inputs: &[&Tensor],
        skip: Option<&Tensor>,
        train: bool,
    ) -> Result<Likelihood> {
        self.likelihood(&self.outputs(inputs, train)?, skip)
    }

    /// The likelihood whose parameters are outputs of the head.
    fn likelihood(&self, out: &Tensor, skip: Option<&Tensor>) -> Result<Likelihood> {
        let (loc, log_scale) = match &self.scale {
            _ if !self.locates => {
                // The scale is predicted, as `ModelConfig::validate` demands.
                let zero = Tensor::f_zeros([1], (out.kind(), out.device()))?;
                (zero, soft_bound(&self.arrange(out)?)?)
            }
            LogScale::Predicted => {
                let halves = out.f_chunk(2, -1)?;
                let [loc, raw] = halves.as_slice() else {
                    unreachable!("the head has an even number of outputs")
                };
                (self.arrange(loc)?, soft_bound(&self.arrange(raw)?)?)
            }
            LogScale::Learned(raw) => (self.arrange(out)?, soft_bound(raw)?),
            LogScale::Fixed(value) => {
                let fixed = Tensor::f_full([1], *value, (out.kind(), out.device()))?;
                (self.arrange(out)?, fixed)
            }
        };
        let loc = match skip {
            Some(skip) => loc.f_add(skip)?,
            None => loc,
        };
        Ok(match &self.law {
            Law::Gaussian => Likelihood::gaussian(loc, log_scale)?,
            Law::Laplace => Likelihood::laplace(loc, log_scale)?,
            Law::StudentT { log_excess_df } => {
                Likelihood::student_t(loc, log_scale, soft_bound(log_excess_df)?)?
            }
        })
    }

    /// The log density of each window of an observation, `[B]`, in nats, given outputs of the head.
    ///
    /// # Shapes
    /// `outputs`: `[B, G, ..]`; `skip`: `[B, C, T]`.
    pub(crate) fn log_likelihood(
        &self,
        outputs: &Tensor,
        skip: Option<&Tensor>,
        observation: Observation,
    ) -> Result<Tensor> {
        match self.fused(outputs) {
            Some(law) if observation.noise.is_none() || law == torch_ext::Law::Gaussian => {
                return self.fused_log_likelihood(law, outputs, skip, observation);
            }
            _ => {}
        }
        let Observation { values, noise, observed } = observation;
        let skip = skip.map(|skip| skip.f_transpose(1, 2)).transpose()?;
        let likelihood = self.likelihood(outputs, skip.as_ref())?;
        let log_prob = match noise {
            Some((signal, std)) => likelihood.log_prob_noised(values, signal, std)?,
            None => likelihood.log_prob(values)?,
        };
        let observed = observed.map(|mask| mask.f_not_equal(0.0)).transpose()?;
        Ok(sum_over_target(&log_prob, observed.as_ref())?)
    }

    /// The law that kernels take, if location and scale are both outputs of the head and it lies where they apply.
    fn fused(&self, outputs: &Tensor) -> Option<torch_ext::Law> {
        let law = match self.law {
            Law::Gaussian => torch_ext::Law::Gaussian,
            Law::Laplace => torch_ext::Law::Laplace,
            Law::StudentT { .. } => return None,
        };
        let predicted = self.locates && matches!(self.scale, LogScale::Predicted);
        (predicted && torch_ext::fuses_density(outputs)).then_some(law)
    }

    /// The same in one kernel. It saves about a fifth of the time of a small Gaussian model's training step.
    fn fused_log_likelihood(
        &self,
        law: torch_ext::Law,
        outputs: &Tensor,
        skip: Option<&Tensor>,
        Observation { values, noise, observed }: Observation,
    ) -> Result<Tensor> {
        let offset = self.offset(skip)?;
        let observed = observed.map(|mask| self.as_rows(mask)).transpose()?;
        let noise = match noise {
            Some((signal, std)) => Some((signal.f_view([-1])?, std.f_view([-1])?)),
            None => None,
        };
        let laws = torch_ext::Laws {
            parameters: outputs,
            offset: offset.as_ref(),
            bound: LOG_SCALE_BOUND,
        };
        let target = torch_ext::Target {
            values: &self.as_rows(values)?,
            noise: noise.as_ref().map(|(signal, std)| (signal, std)),
            observed: observed.as_ref(),
        };
        Ok(torch_ext::log_density(law, laws, target)?)
    }

    /// The CRPS of draws as a training loss, see [`objective::score::crps_loss`], for each element of a truth.
    ///
    /// # Shapes
    /// `outputs`: of the head, `[S, B, G, ..]`, S even; `skip`: `[B, C, T]`; `truth`: `[B, T, C]`, as the result.
    pub(crate) fn crps(
        &self,
        outputs: &Tensor,
        skip: Option<&Tensor>,
        truth: &Tensor,
    ) -> Result<Tensor> {
        let Some(law) = self.fused(outputs) else {
            let skip = skip.map(|skip| skip.f_transpose(1, 2)).transpose()?;
            let law = self.likelihood(outputs, skip.as_ref())?;
            let noise = torch_ext::draw_share(law.shape(), 3, |size| law.standard_noise_of(size))?;
            let draws = law.sample_with(&noise)?;
            return Ok(objective::score::crps_loss(&draws, truth)?);
        };
        let mut size = outputs.size();
        if let Some(last) = size.last_mut() {
            *last /= 2;
        }
        let options = (outputs.kind(), outputs.device());
        let noise = match law {
            torch_ext::Law::Gaussian => {
                torch_ext::draw_share(&size, 3, |size| Tensor::f_randn(size, options))?
            }
            torch_ext::Law::Laplace => torch_ext::laplace(&size, options)?,
        };
        let offset = self.offset(skip)?;
        let laws = torch_ext::Laws {
            parameters: outputs,
            offset: offset.as_ref(),
            bound: LOG_SCALE_BOUND,
        };
        self.arrange(&torch_ext::crps_loss(laws, &noise, &self.as_rows(truth)?)?)
    }

    /// A skip `[B, C, T]` as rows, `[B, G, T · c]`.
    fn offset(&self, skip: Option<&Tensor>) -> Result<Option<Tensor>> {
        Ok(match (skip, self.layout) {
            (None, _) => None,
            (Some(skip), Channels::Independent) => Some(skip.shallow_clone()),
            (Some(skip), Channels::Joint) => Some(self.as_rows(&skip.f_transpose(1, 2)?)?),
        })
    }

    /// Outputs of the head: locations, then log scales before their bound; `[.., B, G, T · c]`, or twice as wide with
    /// both.
    pub(crate) fn outputs(&self, inputs: &[&Tensor], train: bool) -> Result<Tensor> {
        let mut hidden: Option<Tensor> = None;
        for layer in &self.layers {
            hidden = Some(match &hidden {
                None => self.activation.after(layer, inputs, train)?,
                Some(hidden) => self.activation.after(layer, &[hidden], train)?,
            });
        }
        whole(match &hidden {
            None => self.head.forward(inputs)?,
            Some(hidden) => self.head.forward(&[hidden])?,
        })
    }

    /// One of the parameters, all of which share a number type and a device.
    pub(crate) fn parameter(&self) -> &Tensor {
        self.head.bias()
    }

    /// `[B, T, C]` to `[B, G, T · c]`.
    pub(crate) fn as_rows(&self, values: &Tensor) -> Result<Tensor> {
        Ok(match self.layout {
            Channels::Joint => values.f_reshape([values.size()[0], 1, -1])?,
            Channels::Independent => values.f_transpose(1, 2)?.f_contiguous()?,
        })
    }

    /// `[.., B, G, T · c]` to `[.., B, T, C]`.
    fn arrange(&self, rows: &Tensor) -> Result<Tensor> {
        Ok(match self.layout {
            Channels::Joint => {
                let mut size = rows.size();
                size.truncate(size.len() - 2);
                size.extend([self.steps, self.channels]);
                rows.f_reshape(size.as_slice())?
            }
            Channels::Independent => rows.f_transpose(-1, -2)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    /// The law of a fresh decoder at `z = 0`, over `[5, 2, 4, 3]`.
    fn law(scale: Scale, family: Family, layout: Channels) -> Likelihood {
        let store = VarStore::new(Device::Cpu);
        let config = ModelConfig {
            scale,
            channels: layout,
            hidden: 4,
            dropout: 0.0,
            ..ModelConfig::default()
        };
        let parts = [part("latent", 2)];
        let decoder = Decoder::new(&store.root(), &config, family, &parts, [4, 3]).unwrap();
        let groups = if layout == Channels::Joint { 1 } else { 3 };
        let z = Tensor::zeros([5, 2, groups, 2], (Kind::Float, Device::Cpu));
        decoder.forward(&[&z], None, false).unwrap()
    }

    /// With the location `skip` the decoder predicts a scale alone, and a skip passes unchanged.
    #[test]
    fn a_location_may_be_the_skip_alone() {
        for layout in [Channels::Joint, Channels::Independent] {
            let store = VarStore::new(Device::Cpu);
            let (location, hidden) = (Location::Skip, 4);
            let config = ModelConfig {
                location,
                channels: layout,
                hidden,
                dropout: 0.0,
                ..ModelConfig::default()
            };
            let parts = [part("latent", 2)];
            let family = Family::StudentT;
            let decoder = Decoder::new(&store.root(), &config, family, &parts, [4, 3]).unwrap();
            let groups = if layout == Channels::Joint { 1 } else { 3 };
            let z = Tensor::randn([5, 2, groups, 2], (Kind::Float, Device::Cpu));
            let law = decoder.forward(&[&z], None, false).unwrap();
            assert_eq!(law.shape(), [5, 2, 4, 3]);
            assert_eq!(law.mean().abs().max().double_value(&[]), 0.0);
            assert!(law.std().std(true).double_value(&[]) > 0.0, "the scale follows z");
            let skip = Tensor::randn([2, 4, 3], (Kind::Float, Device::Cpu));
            let law = decoder.forward(&[&z], Some(&skip), false).unwrap();
            assert_eq!(law.mean(), skip.expand([5, 2, 4, 3], false));
        }
    }

    #[test]
    fn scale_and_family_are_those_asked_for() {
        for layout in [Channels::Joint, Channels::Independent] {
            let scales = [
                (Scale::Fixed(0.5), vec![1], 0.5),
                (Scale::Global, vec![1], 1.0),
                (Scale::PerStep, vec![4, 3], 1.0),
                (Scale::Predicted, vec![5, 2, 4, 3], 1.0),
            ];
            for (scale, size, value) in scales {
                let law = law(scale, Family::Gaussian, layout);
                assert_eq!(law.shape(), [5, 2, 4, 3]);
                assert_eq!(law.log_scale().size(), size, "{scale:?} {layout:?}");
                let gap = (law.log_scale().exp() - value).abs().max().double_value(&[]);
                assert!(gap < 1e-6, "{scale:?} {layout:?}");
            }
            let student = law(Scale::Global, Family::StudentT, layout);
            let df = student.df().unwrap();
            assert_eq!(df.size(), [3]);
            // ν is 2 + 3, up to the small change that the bound makes to ln 3.
            assert!((df - 5.0).abs().max().double_value(&[]) < 0.05);
            assert_eq!(law(Scale::Global, Family::Laplace, layout).family(), Family::Laplace);
        }
    }
}

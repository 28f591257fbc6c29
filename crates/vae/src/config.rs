//! The `[model]` table: what kind of model, of what size, with what scale.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::VaeError;

/// A model as written in a config file; [`ModelConfig::validate`] says whether it can be built.
///
/// | key | default | range |
/// |---|---|---|
/// | `kind` | `"conditional"` | `autoencode`, `predict`, `conditional`, `hierarchical` |
/// | `backbone` | `"mlp"` | `linear`, `mlp`, `gru`, `conv`, `patch` |
/// | `latent` | 8 | ≥ 1: dimensions of `z`, per group, and per channel where channels are independent |
/// | `hidden` | 128 | ≥ 1: width of every hidden layer and of the features of a window |
/// | `layers` | 1 | ≥ 1: depth of the backbone; `linear` has none and reads no depth |
/// | `decoder_layers` | 1 | ≥ 1: hidden layers of the decoder; none for `linear` |
/// | `groups` | 2 | ≥ 1: latent groups of a `hierarchical` model |
/// | `dropout` | 0 | in [0, 1): on hidden layers, in training only |
/// | `channels` | `"independent"` | `joint`, `independent` |
/// | `channel_embedding` | 8 | ≥ 0: learned numbers per independent channel; 0 for none |
/// | `patch` | 16 | 1 to the context: steps per patch of the `patch` backbone |
/// | `heads` | 4 | divides `hidden`: attention heads of the `patch` backbone |
/// | `kernel` | 3 | ≥ 2: taps of the `conv` backbone |
/// | `instance_norm` | true | per-window mean and standard deviation, floored |
/// | `instance_center` | `"mean"` | `mean`, `last`: what the instance's level is |
/// | `instance_floor` | 0.1 | > 0: the floor, in training standard deviations |
/// | `linear_skip` | true | one linear map from context to horizon; `autoencode` has none |
/// | `location` | `"predicted"` | `predicted`, `skip`: the skip alone, or zero |
/// | `noise_conditioning` | false | whether the networks see the noise level |
/// | `residuals` | `"independent"` | `independent`, `correlated`: between steps and channels, given `z` |
/// | `scale` | `"predicted"` | `{ fixed = 1.0 }`, `global`, `per-step`, `predicted` |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Which joint density, see [`ModelKind`].
    pub kind: ModelKind,
    /// What turns a window into features, see [`BackboneKind`].
    pub backbone: BackboneKind,
    /// Dimensions of `z`: per group, and per channel where channels are independent.
    #[schemars(range(min = 1))]
    pub latent: i64,
    /// Width of every hidden layer, and of the features of a window.
    #[schemars(range(min = 1))]
    pub hidden: i64,
    /// Depth of the backbone: hidden layers, recurrent layers, residual blocks or attention blocks.
    #[schemars(range(min = 1))]
    pub layers: i64,
    /// Hidden layers of the decoder.
    #[schemars(range(min = 1))]
    pub decoder_layers: i64,
    /// Latent groups of a hierarchical model, from the top down.
    #[schemars(range(min = 1))]
    pub groups: i64,
    /// Probability of dropping a hidden unit in training.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Whether a window is one example of all channels or one example per channel.
    pub channels: Channels,
    /// Learned numbers that tell independent channels apart; 0 for none.
    #[schemars(range(min = 0))]
    pub channel_embedding: i64,
    /// Steps per patch of the patch backbone; the first patch is filled up with the first value.
    #[schemars(range(min = 1))]
    pub patch: i64,
    /// Attention heads of the patch backbone.
    #[schemars(range(min = 1))]
    pub heads: i64,
    /// Taps of each convolution of the conv backbone.
    #[schemars(range(min = 2))]
    pub kernel: i64,
    /// Whether each window is normalised by its own mean and standard deviation.
    pub instance_norm: bool,
    /// What a window is relative to.
    pub instance_center: Center,
    /// Smallest standard deviation to divide by, in standardized units.
    ///
    /// An unfloored one explodes on flat windows.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub instance_floor: f64,
    /// Whether a linear map from context to horizon is added to the location.
    pub linear_skip: bool,
    /// Where the location of the likelihood comes from, besides the linear skip.
    pub location: Location,
    /// Whether the networks see the noise level of their input.
    pub noise_conditioning: bool,
    /// How forecasts are drawn, given the latent variables.
    pub residuals: Residuals,
    /// Where the scale of the likelihood comes from.
    pub scale: Scale,
}

/// Which joint density of data and latent variable (DESIGN, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// `p(z) p(x_0 | z)` with `q(z | x̃)`: density, features, sampling.
    Autoencode,
    /// `p(z) p(y_0 | z)` with `q(z | x̃)`: a prediction model with a latent bottleneck.
    Predict,
    /// `p(z | x̃) p(y_0 | z, x̃)` with `q(z | x̃, ỹ)`: a bound on `log p(y | x)`.
    Conditional,
    /// `Π_l p(z_l | z_{<l}, x̃) · p(y_0 | z, x̃)` with posteriors relative to the priors.
    Hierarchical,
}

/// What turns a window into features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneKind {
    /// No activation anywhere: every network of the model is affine.
    Linear,
    /// Hidden layers over the flattened window.
    Mlp,
    /// Gated recurrent units; the features are the last state.
    Gru,
    /// Dilated causal convolutions; the features are the last step and the mean over time.
    Conv,
    /// Attention between patches of the window.
    Patch,
}

/// Whether channels share one latent variable or have one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One example holds all channels.
    Joint,
    /// Every channel is an example of its own, with shared weights and a channel embedding.
    Independent,
}

/// The level of a window that instance normalisation subtracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Center {
    /// The mean of the context.
    Mean,
    /// The last observed value of the context: for series that wander, such as prices and rates.
    Last,
}

/// Where the location of the likelihood comes from, besides the linear skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    /// An output of the decoder.
    Predicted,
    /// Nowhere else: without a skip it is the center of the instance, or zero, the training mean. For
    /// series such as returns, whose mean cannot be predicted and whose scale can.
    Skip,
}

/// How the values of a forecast hang together, given the latent variables. What is said of each value by itself is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Residuals {
    /// Not at all.
    Independent,
    /// By a Gaussian copula with one correlation between steps and one between channels, see [`crate::Model::set_copula`].
    Correlated,
}

/// Where the scale of the likelihood comes from, in the units of the prepared target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// A constant.
    Fixed(#[schemars(extend("exclusiveMinimum" = 0))] f64),
    /// One learned number.
    Global,
    /// One learned number per step and channel.
    PerStep,
    /// An output of the decoder.
    Predicted,
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig {
            kind: ModelKind::Conditional,
            backbone: BackboneKind::Mlp,
            latent: 8,
            hidden: 128,
            layers: 1,
            decoder_layers: 1,
            groups: 2,
            dropout: 0.0,
            channels: Channels::Independent,
            channel_embedding: 8,
            patch: 16,
            heads: 4,
            kernel: 3,
            instance_norm: true,
            instance_center: Center::Mean,
            instance_floor: 0.1,
            linear_skip: true,
            location: Location::Predicted,
            noise_conditioning: false,
            residuals: Residuals::Independent,
            scale: Scale::Predicted,
        }
    }
}

impl ModelConfig {
    /// Checks every key by itself and those that constrain each other.
    ///
    /// # Errors
    /// [`VaeError::Config`] for the first key out of its range.
    pub fn validate(&self) -> Result<(), VaeError> {
        let at_least = |key, value: i64, least: i64, range| {
            if value >= least { Ok(()) } else { Err(out_of_range(key, value, range)) }
        };
        at_least("latent", self.latent, 1, "at least 1")?;
        at_least("hidden", self.hidden, 1, "at least 1")?;
        at_least("layers", self.layers, 1, "at least 1")?;
        at_least("decoder_layers", self.decoder_layers, 1, "at least 1")?;
        at_least("groups", self.groups, 1, "at least 1")?;
        at_least("channel_embedding", self.channel_embedding, 0, "at least 0")?;
        at_least("patch", self.patch, 1, "at least 1")?;
        at_least("heads", self.heads, 1, "at least 1")?;
        at_least("kernel", self.kernel, 2, "at least 2")?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(out_of_range("dropout", self.dropout, "in [0, 1)"));
        }
        if !positive(self.instance_floor) {
            return Err(out_of_range("instance_floor", self.instance_floor, "finite and above 0"));
        }
        if let Scale::Fixed(scale) = self.scale
            && !positive(scale)
        {
            return Err(out_of_range("scale.fixed", scale, "finite and above 0"));
        }
        if self.location == Location::Skip && self.scale != Scale::Predicted {
            let range = "\"predicted\" where the scale is not, or the decoder has nothing to say";
            return Err(out_of_range("location", "\"skip\"", range));
        }
        if self.backbone == BackboneKind::Patch && self.hidden % self.heads != 0 {
            return Err(out_of_range("heads", self.heads, "a divisor of `hidden`"));
        }
        Ok(())
    }

    /// Whether the model has activations at all.
    pub(crate) fn nonlinear(&self) -> bool {
        self.backbone != BackboneKind::Linear
    }
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

fn out_of_range(key: &'static str, value: impl ToString, range: &'static str) -> VaeError {
    VaeError::Config { key, value: value.to_string(), range }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every documented border, at it and just past it.
    #[test]
    fn borders_are_where_the_documentation_puts_them() {
        let ok = |change: fn(&mut ModelConfig)| {
            let mut config = ModelConfig::default();
            change(&mut config);
            config.validate().is_ok()
        };
        assert!(ok(|_| ()));
        assert!(ok(|c| c.latent = 1) && !ok(|c| c.latent = 0));
        assert!(ok(|c| c.hidden = 1) && !ok(|c| c.hidden = 0));
        assert!(ok(|c| c.layers = 1) && !ok(|c| c.layers = 0));
        assert!(ok(|c| c.decoder_layers = 1) && !ok(|c| c.decoder_layers = 0));
        assert!(ok(|c| c.groups = 1) && !ok(|c| c.groups = 0));
        assert!(ok(|c| c.channel_embedding = 0) && !ok(|c| c.channel_embedding = -1));
        assert!(ok(|c| c.patch = 1) && !ok(|c| c.patch = 0));
        assert!(ok(|c| c.kernel = 2) && !ok(|c| c.kernel = 1));
        assert!(ok(|c| c.dropout = 0.0) && ok(|c| c.dropout = 0.999));
        assert!(!ok(|c| c.dropout = 1.0) && !ok(|c| c.dropout = -1e-9));
        assert!(!ok(|c| c.dropout = f64::NAN));
        assert!(ok(|c| c.instance_floor = 1e-9) && !ok(|c| c.instance_floor = 0.0));
        assert!(!ok(|c| c.instance_floor = f64::INFINITY));
        assert!(ok(|c| c.scale = Scale::Fixed(1e-9)) && !ok(|c| c.scale = Scale::Fixed(0.0)));
        assert!(!ok(|c| c.scale = Scale::Fixed(f64::NAN)));
        assert!(ok(|c| c.location = Location::Skip));
        assert!(!ok(|c| (c.location, c.scale) = (Location::Skip, Scale::Global)));
        // 128 has no divisor 3, which matters to attention only.
        assert!(ok(|c| c.heads = 3));
        assert!(!ok(|c| (c.heads, c.backbone) = (3, BackboneKind::Patch)));
        assert!(ok(|c| (c.heads, c.backbone) = (8, BackboneKind::Patch)));
        assert!(!ok(|c| c.heads = 0));
    }

    #[test]
    fn an_error_names_key_value_and_range() {
        let config = ModelConfig { latent: -3, ..ModelConfig::default() };
        let text = config.validate().unwrap_err().to_string();
        assert_eq!(text, "model.latent = -3 is out of range: it must be at least 1");
    }
}

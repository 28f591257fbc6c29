//! The `[model]` table: what kind of model, of what size, with what scale.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::VaeError;
use crate::kind::ModelKind;

/// Largest width of a layer: a square matrix of it takes 1 GiB.
const MAX_WIDTH: i64 = 16_384;
/// Largest number of dimensions of one latent group, and of a channel embedding.
const MAX_DIMENSIONS: i64 = 4096;
/// Largest number of layers, latent groups and attention heads.
const MAX_DEPTH: i64 = 256;
/// Largest number of rows that a patch or a kernel spans.
const MAX_SPAN: i64 = 1_000_000;

/// A model as written in a config file; [`ModelConfig::validate`] says whether it can be built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Joint density of data and latent variables.
    pub kind: ModelKind,
    /// Network that turns a window into features.
    pub backbone: BackboneKind,
    /// Dimensions of `z`, per group, and per channel where channels are independent.
    #[schemars(range(min = 1, max = MAX_DIMENSIONS))]
    pub latent: i64,
    /// Width of every hidden layer, and of the features of a window.
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub hidden: i64,
    /// Depth of the backbone: hidden layers, recurrent layers, residual blocks or attention blocks. Not read by
    /// `linear`.
    #[schemars(range(min = 1, max = MAX_DEPTH))]
    pub layers: i64,
    /// Hidden layers of the decoder. Not read with the backbone `linear`.
    #[schemars(range(min = 1, max = MAX_DEPTH))]
    pub decoder_layers: i64,
    /// Latent groups of a hierarchical model, from the top down.
    #[schemars(range(min = 1, max = MAX_DEPTH))]
    pub groups: i64,
    /// Probability of dropping a hidden unit in training.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// One latent variable per window for all channels, or one for each channel.
    pub channels: Channels,
    /// Learned numbers that tell independent channels apart; 0 for none.
    #[schemars(range(min = 0, max = MAX_DIMENSIONS))]
    pub channel_embedding: i64,
    /// Rows per patch of the `patch` backbone, at most the context. The first patch is filled up with the first value.
    #[schemars(range(min = 1, max = MAX_SPAN))]
    pub patch: i64,
    /// Attention heads of the `patch` backbone, a divisor of `hidden`.
    #[schemars(range(min = 1, max = MAX_DEPTH))]
    pub heads: i64,
    /// Taps of each convolution of the `conv` backbone.
    #[schemars(range(min = 2, max = MAX_SPAN))]
    pub kernel: i64,
    /// Whether each window is normalized by its own mean and standard deviation.
    pub instance_norm: bool,
    /// Level that is subtracted from a window: its mean, or its last value for prices and rates.
    pub instance_center: Center,
    /// Smallest standard deviation that a window is divided by, in training standard deviations.
    ///
    /// Without a floor, a flat window would be divided by almost zero.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub instance_floor: f64,
    /// Whether a linear map from context to horizon is added to the location. `autoencode` has none.
    pub linear_skip: bool,
    /// Source of the location of the likelihood, besides the linear skip.
    pub location: Location,
    /// Whether the networks see the noise level of their input.
    pub noise_conditioning: bool,
    /// Dependence between the values of a forecast given `z`; the marginals are unaffected.
    pub residuals: Residuals,
    /// Source of the scale of the likelihood, in the units of the prepared target.
    pub scale: Scale,
}

/// Network that turns a window into features.
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

/// One latent variable per window for all channels, or one for each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One example holds all channels.
    Joint,
    /// Each channel is an example of its own, with shared weights and a channel embedding.
    Independent,
}

/// Level that instance normalization subtracts from a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Center {
    /// The mean of the context.
    Mean,
    /// The last observed value of the context: for series that wander, such as prices and rates.
    Last,
}

/// Source of the location of the likelihood, besides the linear skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    /// An output of the decoder.
    Predicted,
    /// The linear skip alone. Without a skip the location is the center of the instance, or zero, the training mean.
    /// For series such as returns, whose scale can be predicted and whose mean cannot.
    Skip,
}

/// Dependence between the values of a forecast given `z`; the marginals are unaffected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Residuals {
    /// Independent.
    Independent,
    /// Joined by a Gaussian copula with one correlation between steps and one between channels, see [`crate::Model::set_copula`].
    Correlated,
}

/// Source of the scale of the likelihood, in the units of the prepared target.
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
            latent: 1,
            hidden: 128,
            layers: 1,
            decoder_layers: 1,
            groups: 2,
            dropout: 0.2,
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
    /// Number of matrices of `hidden × hidden` numbers that the model has at least, between its hidden layers.
    pub fn square_matrices(&self) -> i64 {
        match self.backbone {
            BackboneKind::Linear => 0,
            _ => (self.layers - 1).max(0) + (self.decoder_layers - 1).max(0),
        }
    }

    /// Checks every key by itself and those that constrain each other.
    ///
    /// # Errors
    /// [`VaeError::Config`] for the first key out of its range.
    pub fn validate(&self) -> Result<(), VaeError> {
        for (key, value, least, most) in [
            ("latent", self.latent, 1, MAX_DIMENSIONS),
            ("hidden", self.hidden, 1, MAX_WIDTH),
            ("layers", self.layers, 1, MAX_DEPTH),
            ("decoder_layers", self.decoder_layers, 1, MAX_DEPTH),
            ("groups", self.groups, 1, MAX_DEPTH),
            ("channel_embedding", self.channel_embedding, 0, MAX_DIMENSIONS),
            ("patch", self.patch, 1, MAX_SPAN),
            ("heads", self.heads, 1, MAX_DEPTH),
            ("kernel", self.kernel, 2, MAX_SPAN),
        ] {
            if !(least..=most).contains(&value) {
                return Err(out_of_range(key, value, format!("from {least} to {most}")));
            }
        }
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
            let range = "\"predicted\" unless the scale is, because the decoder needs an output";
            return Err(out_of_range("location", "\"skip\"", range));
        }
        if self.backbone == BackboneKind::Patch && self.hidden % self.heads != 0 {
            return Err(out_of_range("heads", self.heads, "a divisor of `hidden`"));
        }
        Ok(())
    }

    /// Whether the model has activations at all.
    pub fn nonlinear(&self) -> bool {
        self.backbone != BackboneKind::Linear
    }
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

fn out_of_range(key: &'static str, value: impl ToString, range: impl Into<String>) -> VaeError {
    VaeError::Config { key, value: value.to_string(), range: range.into() }
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
        assert!(ok(|c| c.latent = 4096) && !ok(|c| c.latent = 4097));
        assert!(ok(|c| c.hidden = 1) && !ok(|c| c.hidden = 0));
        assert!(ok(|c| c.hidden = 16_384) && !ok(|c| c.hidden = 16_385));
        assert!(ok(|c| c.layers = 1) && !ok(|c| c.layers = 0));
        assert!(ok(|c| c.layers = 256) && !ok(|c| c.layers = 257));
        assert!(ok(|c| c.decoder_layers = 1) && !ok(|c| c.decoder_layers = 0));
        assert!(ok(|c| c.decoder_layers = 256) && !ok(|c| c.decoder_layers = 257));
        assert!(ok(|c| c.groups = 1) && !ok(|c| c.groups = 0));
        assert!(ok(|c| c.groups = 256) && !ok(|c| c.groups = i64::MAX));
        assert!(ok(|c| c.channel_embedding = 0) && !ok(|c| c.channel_embedding = -1));
        assert!(ok(|c| c.channel_embedding = 4096) && !ok(|c| c.channel_embedding = 4097));
        assert!(ok(|c| c.patch = 1) && !ok(|c| c.patch = 0));
        assert!(ok(|c| c.patch = 1_000_000) && !ok(|c| c.patch = 1_000_001));
        assert!(ok(|c| c.kernel = 2) && !ok(|c| c.kernel = 1));
        assert!(ok(|c| c.kernel = 1_000_000) && !ok(|c| c.kernel = 1_000_001));
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
        assert!(!ok(|c| c.heads = 0) && !ok(|c| c.heads = 257));
    }

    #[test]
    fn an_error_names_key_value_and_range() {
        let config = ModelConfig { latent: -3, ..ModelConfig::default() };
        let text = config.validate().unwrap_err().to_string();
        assert_eq!(text, "model.latent = -3 is out of range: it must be from 1 to 4096");
    }
}

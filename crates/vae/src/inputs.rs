//! The sizes that a model is built for, and the tensors that it is fed.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::{ModelKind, VaeError};

/// Sizes of the windows that a [`crate::Model`] is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Steps of the context, `L`.
    pub context: i64,
    /// Steps of the horizon, `H`.
    pub horizon: i64,
    /// Channels to forecast, `C`: the first channels of the context.
    pub channels: i64,
    /// Further channels of the context, `E`: past covariates, masks of missing values, calendar.
    pub extras: i64,
    /// Covariates known over the horizon, `F`.
    pub future: i64,
    /// Numbers that the linear skip sees besides the context, `S`: seasonal terms of the first step of the horizon.
    #[serde(default)]
    pub seasonal: i64,
}

impl Shape {
    /// Sizes of a model without covariates.
    pub fn new(context: i64, horizon: i64, channels: i64) -> Shape {
        Shape { context, horizon, channels, extras: 0, future: 0, seasonal: 0 }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let Shape { context, horizon, channels, extras, future, seasonal } = *self;
        let sizes = [
            ("context", context, 1),
            ("horizon", horizon, 1),
            ("channels", channels, 1),
            ("extras", extras, 0),
            ("future", future, 0),
            ("seasonal", seasonal, 0),
        ];
        match sizes.into_iter().find(|&(_, value, least)| value < least) {
            Some((key, value, least)) => Err(VaeError::Size { key, value, least }),
            None => Ok(()),
        }
    }
}

/// Inputs of a model at forecast time: a prepared context, and everything else that is known.
///
/// *Prepared* means standardized, instance-normalized ([`crate::Model::instance`]) and, in
/// training, noised, in this order. Missing values hold a number (zero, say), never a NaN.
///
/// # Shapes
/// `context`: `[B, L, C + E]`, targets first; `future`: `[B, H, F]`, needed if `F > 0` except
/// by `autoencode`, which has no horizon; `seasonal`: `[B, S]`, needed by a linear skip if `S > 0`; `level`: `[B]`, 0 for clean, for instance `√(1 − ᾱ_t)`;
/// read only with `noise_conditioning`, where `None` means clean.
#[derive(Debug)]
pub struct Inputs {
    /// The prepared window, `[B, L, C + E]`.
    pub context: Tensor,
    /// Covariates known over the horizon, `[B, H, F]`.
    pub future: Option<Tensor>,
    /// Seasonal terms of the first step of the horizon, for the linear skip, `[B, S]`.
    pub seasonal: Option<Tensor>,
    /// Noise level of each example, `[B]`.
    pub level: Option<Tensor>,
}

impl Inputs {
    /// A clean context without known future.
    pub fn new(context: Tensor) -> Inputs {
        Inputs { context, future: None, seasonal: None, level: None }
    }

    /// The inputs of `count` examples from `first` on.
    ///
    /// # Errors
    /// [`VaeError::Torch`] if there are fewer.
    pub fn part(&self, first: i64, count: i64) -> Result<Inputs> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, first, count);
        let maybe = |tensor: &Option<Tensor>| tensor.as_ref().map(part).transpose();
        Ok(Inputs {
            context: part(&self.context)?,
            future: maybe(&self.future)?,
            seasonal: maybe(&self.seasonal)?,
            level: maybe(&self.level)?,
        })
    }

    /// The same with covariates known over the horizon.
    pub fn with_future(self, future: Tensor) -> Inputs {
        Inputs { future: Some(future), ..self }
    }

    /// The same with seasonal terms for the linear skip.
    pub fn with_seasonal(self, seasonal: Tensor) -> Inputs {
        Inputs { seasonal: Some(seasonal), ..self }
    }

    /// The same with the noise level of each example.
    pub fn with_level(self, level: Tensor) -> Inputs {
        Inputs { level: Some(level), ..self }
    }
}

impl Clone for Inputs {
    /// Shares storage with the original, because tensors are handles.
    fn clone(&self) -> Inputs {
        Inputs {
            context: self.context.shallow_clone(),
            future: self.future.as_ref().map(Tensor::shallow_clone),
            seasonal: self.seasonal.as_ref().map(Tensor::shallow_clone),
            level: self.level.as_ref().map(Tensor::shallow_clone),
        }
    }
}

/// The target on which a pass is scored.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The target, noised where `noise` is given, `[B, T, C]`; finite also where missing.
    pub values: &'a Tensor,
    /// The signal of the target and the standard deviation of its noise, each `[B, 1, 1]`.
    pub noise: Option<(&'a Tensor, &'a Tensor)>,
    /// Mask of the values, `[B, T, C]`, 0 where one is missing.
    pub observed: Option<&'a Tensor>,
}

/// Sizes, number type and device that the tensors of a call must have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) shape: Shape,
    pub(crate) model: ModelKind,
    pub(crate) kind: Kind,
    pub(crate) device: Device,
}

impl Expected {
    /// Checks all inputs and returns the batch size.
    pub(crate) fn inputs(&self, inputs: &Inputs) -> Result<i64> {
        let Shape { context, horizon, channels, extras, future, seasonal } = self.shape;
        let batch = inputs.context.size().first().copied().unwrap_or(0);
        self.tensor("context", &inputs.context, &[batch, context, channels + extras])?;
        if future > 0 && self.model != ModelKind::Autoencode {
            let given = inputs.future.as_ref();
            let given = given.ok_or(VaeError::Missing { tensor: "future", kind: self.model })?;
            self.tensor("future", given, &[batch, horizon, future])?;
        }
        if let Some(given) = &inputs.seasonal {
            self.tensor("seasonal", given, &[batch, seasonal])?;
        }
        if let Some(level) = &inputs.level {
            self.tensor("level", level, &[batch])?;
        }
        Ok(batch)
    }

    /// Checks a target `[batch, H, C]`.
    pub(crate) fn target(&self, target: &Tensor, batch: i64) -> Result<()> {
        self.tensor("target", target, &[batch, self.shape.horizon, self.shape.channels])
    }

    /// Checks shape, number type and device of one tensor.
    pub(crate) fn tensor(&self, name: &'static str, tensor: &Tensor, shape: &[i64]) -> Result<()> {
        let found = tensor.size();
        if found != shape {
            let expected = format!("{shape:?}");
            return Err(VaeError::Shape { tensor: name, expected, found });
        }
        self.number(name, tensor)
    }

    /// Checks number type and device alone.
    pub(crate) fn number(&self, name: &'static str, tensor: &Tensor) -> Result<()> {
        let (found, found_on) = (tensor.kind(), tensor.device());
        if (found, found_on) != (self.kind, self.device) {
            let (expected, expected_on) = (self.kind, self.device);
            return Err(VaeError::Type { tensor: name, expected, expected_on, found, found_on });
        }
        Ok(())
    }
}

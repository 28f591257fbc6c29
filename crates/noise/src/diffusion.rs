//! Noising a batch: `x̃_t = signal_t · x_0 + std_t · ε` at one diffusion step per example.
//!
//! Forward diffusion moves memory and does next to no arithmetic, so its cost is counted in
//! passes. `x + noise` reads two tensors and writes one; two element-wise calls would read three
//! and write two. On the CPU the batch therefore goes through in chunks that stay in the cache
//! between the two calls, and memory is passed as often as by `x + noise`.

use tch::{Device, Kind, Tensor};

use crate::error::NoiseError;
use crate::reinjection::Reinjection;

/// The tables of a [`Reinjection`] as tensors on one device, for noising batches of one kind.
///
/// Nothing here waits for the device: the coefficients are gathered where the batch lies.
///
/// ```
/// use noise::{Diffuser, Normalization, Reinjection, Schedule};
/// use tch::{Device, Kind, Tensor};
///
/// let schedule = Schedule::linear(100, 1e-4, 0.1)?;
/// let process = Reinjection::new(schedule, 1.0, Normalization::Variance)?;
/// let diffuser = Diffuser::new(&process, Device::Cpu, Kind::Float)?;
///
/// let x0 = Tensor::randn([64, 120, 7], (Kind::Float, Device::Cpu));
/// let t = Tensor::randint_low(1, 101, [64], (Kind::Int64, Device::Cpu));
/// let xt = diffuser.apply_drawn(&x0, &t)?;
/// assert_eq!(xt.size(), [64, 120, 7]);
/// # Ok::<(), noise::NoiseError>(())
/// ```
#[derive(Debug)]
pub struct Diffuser {
    signal: Table,
    std: Table,
    clean: f64,
    steps: usize,
    device: Device,
    kind: Kind,
}

/// One coefficient over the steps, `[T + 1]`.
#[derive(Debug)]
struct Table {
    /// In the kind of the data; for bf16 rounded to it, as is everything the table multiplies.
    applied: Tensor,
    /// The same numbers, in f32 where the data is bf16: likelihoods are computed in f32.
    exact: Tensor,
}

/// Bytes of one tensor per thread and chunk, roughly; three tensors share a thread's cache.
const CHUNK_BYTES: usize = 1024 * 1024;

impl Diffuser {
    /// Copies the coefficients of `process` to `device`, for data of `kind`.
    ///
    /// # Errors
    /// [`NoiseError::UnsupportedKind`] unless `kind` is `Float`, `Double` or `BFloat16`.
    pub fn new(process: &Reinjection, device: Device, kind: Kind) -> Result<Self, NoiseError> {
        let wide = match kind {
            Kind::Float | Kind::Double => kind,
            Kind::BFloat16 => Kind::Float,
            other => return Err(NoiseError::UnsupportedKind(other)),
        };
        let table = |values: &[f64]| -> Result<Table, NoiseError> {
            let applied = Tensor::f_from_slice(values)?.f_to_kind(kind)?.f_to_device(device)?;
            Ok(Table { exact: applied.f_to_kind(wide)?, applied })
        };
        Ok(Diffuser {
            signal: table(process.signal())?,
            std: table(process.std())?,
            clean: process.signal()[0],
            steps: process.steps(),
            device,
            kind,
        })
    }

    /// T, the last diffusion step.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The kind of the data.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The device of the tables.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Noises `x0` with given noise.
    ///
    /// ```text
    /// x̃_t = signal_t · x_0 + std_t · ε
    /// ```
    ///
    /// Differentiable where `x0` or `noise` requires a gradient; the chunked path is for the rest.
    ///
    /// # Shapes
    /// `x0`, `noise`: `[B, …]`, standardized; `t`: `[B]`, `Int64`. Returns the shape of `x0`.
    ///
    /// # Errors
    /// Shapes, kinds or devices that do not fit. [`NoiseError::StepOutOfRange`] for a `t` outside
    /// `0..=T` on the CPU only: on CUDA the check would have to wait for the device, so there it
    /// is a device-side assertion of libtorch and the caller's bug.
    ///
    /// # References
    /// Ho, Jain & Abbeel (2020), eq. 4, arXiv:2006.11239.
    pub fn apply(&self, x0: &Tensor, t: &Tensor, noise: &Tensor) -> Result<Tensor, NoiseError> {
        self.check(x0, t)?;
        self.check_data("noise", noise)?;
        if noise.size() != x0.size() {
            return Err(NoiseError::Shape {
                tensor: "noise",
                found: noise.size(),
                expected: format!("expected that of `x0`, {:?}", x0.size()),
            });
        }
        let (signal, std) = self.coefficients(t, x0.dim())?;
        if x0.requires_grad() || noise.requires_grad() {
            return Ok((x0.f_mul(&signal)?).f_add(&noise.f_mul(&std)?)?);
        }
        let out = x0.f_empty_like()?;
        for Chunk { start, len } in self.chunks(x0) {
            let part = out.f_narrow(0, start, len)?;
            let std = std.f_narrow(0, start, len)?;
            let mut part = noise.f_narrow(0, start, len)?.f_mul_out(&part, &std)?;
            let signal = signal.f_narrow(0, start, len)?;
            let _ = part.f_addcmul_(&x0.f_narrow(0, start, len)?, &signal)?;
        }
        Ok(out)
    }

    /// Noises `x0` with noise drawn by libtorch's generator of the device.
    ///
    /// # Shapes
    /// As [`Diffuser::apply`]; the noise becomes the result, so no second tensor is needed. It is drawn
    /// in the order in which `x0` lies in memory.
    ///
    /// # Errors
    /// As [`Diffuser::apply`].
    pub fn apply_drawn(&self, x0: &Tensor, t: &Tensor) -> Result<Tensor, NoiseError> {
        self.check(x0, t)?;
        let noise = randn_laid_out_like(x0)?;
        if x0.requires_grad() {
            return self.apply(x0, t, &noise);
        }
        let (signal, std) = self.coefficients(t, x0.dim())?;
        for Chunk { start, len } in self.chunks(x0) {
            let mut part = noise.f_narrow(0, start, len)?;
            let _ = part.f_mul_(&std.f_narrow(0, start, len)?)?;
            let _ =
                part.f_addcmul_(&x0.f_narrow(0, start, len)?, &signal.f_narrow(0, start, len)?)?;
        }
        Ok(noise)
    }

    /// The transformation at `t = 0`, which inference applies so that it agrees with training.
    ///
    /// ```text
    /// x̃_0 = signal_0 · x_0        signal_0 = 1, or 1 + λ without normalization
    /// ```
    ///
    /// # Shapes
    /// Any; the result has the same, and shares memory with `x0` where `signal_0 = 1`.
    ///
    /// # Errors
    /// A kind or device that differs from the tables'.
    pub fn clean(&self, x0: &Tensor) -> Result<Tensor, NoiseError> {
        self.check_data("x0", x0)?;
        if self.clean == 1.0 {
            return Ok(x0.shallow_clone());
        }
        Ok(x0.f_mul(&self.signal.applied.f_narrow(0, 0, 1)?)?)
    }

    /// The factor of `x_0` (for a target `a^y_t`) at each step, exactly as [`Diffuser::apply`]
    /// uses it.
    ///
    /// # Shapes
    /// `t`: `[B]`, `Int64`. Returns `[B, 1, 1]`, in f32 where the data is bf16.
    ///
    /// # Errors
    /// As [`Diffuser::apply`] for `t`.
    pub fn signal_at(&self, t: &Tensor) -> Result<Tensor, NoiseError> {
        self.check_steps(t)?;
        self.gather(&self.signal.exact, t, 3)
    }

    /// The standard deviation of the noise (for a target `s^y_t`) at each step.
    ///
    /// # Shapes
    /// `t`: `[B]`, `Int64`. Returns `[B, 1, 1]`, in f32 where the data is bf16.
    ///
    /// # Errors
    /// As [`Diffuser::apply`] for `t`.
    pub fn std_at(&self, t: &Tensor) -> Result<Tensor, NoiseError> {
        self.check_steps(t)?;
        self.gather(&self.std.exact, t, 3)
    }

    fn coefficients(&self, t: &Tensor, dims: usize) -> Result<(Tensor, Tensor), NoiseError> {
        Ok((self.gather(&self.signal.applied, t, dims)?, self.gather(&self.std.applied, t, dims)?))
    }

    /// Runs of examples that fit in the cache on the CPU; a single run on other devices.
    fn chunks(&self, x0: &Tensor) -> impl Iterator<Item = Chunk> {
        let batch = x0.size()[0];
        let bytes = (x0.numel() * x0.kind().elt_size_in_bytes()).max(1);
        let rows = if self.device == Device::Cpu {
            // Both calls divide a chunk among the threads in the same way, so each finds its part in its cache.
            let chunk = CHUNK_BYTES * tch::get_num_threads().max(1) as usize;
            (chunk as i64 * batch / bytes as i64).max(1)
        } else {
            batch.max(1)
        };
        (0..batch)
            .step_by(rows as usize)
            .map(move |start| Chunk { start, len: rows.min(batch - start) })
    }

    fn check(&self, x0: &Tensor, t: &Tensor) -> Result<(), NoiseError> {
        self.check_data("x0", x0)?;
        self.check_steps(t)?;
        if x0.size().first() != t.size().first() {
            return Err(NoiseError::Shape {
                tensor: "t",
                found: t.size(),
                expected: format!("expected one step per example of `x0`, {:?}", x0.size()),
            });
        }
        Ok(())
    }

    fn check_data(&self, name: &'static str, data: &Tensor) -> Result<(), NoiseError> {
        if data.kind() != self.kind {
            let (found, expected) = (data.kind(), self.kind);
            return Err(NoiseError::Kind { tensor: name, found, expected });
        }
        self.check_device(name, data)
    }

    fn check_steps(&self, t: &Tensor) -> Result<(), NoiseError> {
        if t.kind() != Kind::Int64 {
            let found = t.kind();
            return Err(NoiseError::Kind { tensor: "t", found, expected: Kind::Int64 });
        }
        if t.dim() != 1 {
            let expected = "expected one dimension, the batch".to_owned();
            return Err(NoiseError::Shape { tensor: "t", found: t.size(), expected });
        }
        self.check_device("t", t)
    }

    /// `table[t]` as `[B, 1, …]` with `dims` dimensions.
    fn gather(&self, table: &Tensor, t: &Tensor, dims: usize) -> Result<Tensor, NoiseError> {
        let mut shape = vec![1; dims.max(1)];
        shape[0] = -1;
        match table.f_index_select(0, t) {
            Ok(values) => Ok(values.f_view(shape.as_slice())?),
            Err(error) => Err(self.step_out_of_range(t)?.unwrap_or(NoiseError::Tch(error))),
        }
    }

    /// The error for a step outside the table, if there is one. Called only after libtorch has failed:
    /// checking first would cost more than the noise of a small batch.
    fn step_out_of_range(&self, t: &Tensor) -> Result<Option<NoiseError>, NoiseError> {
        if self.device != Device::Cpu || t.numel() == 0 {
            return Ok(None);
        }
        let ends = [t.f_min()?.f_int64_value(&[])?, t.f_max()?.f_int64_value(&[])?];
        let outside = ends.into_iter().find(|t| !(0..=self.steps as i64).contains(t));
        Ok(outside.map(|t| NoiseError::StepOutOfRange { t: t as f64, steps: self.steps }))
    }

    fn check_device(&self, name: &'static str, tensor: &Tensor) -> Result<(), NoiseError> {
        if tensor.device() == self.device {
            return Ok(());
        }
        let (found, expected) = (tensor.device(), self.device);
        Err(NoiseError::Device { tensor: name, found, expected })
    }
}

/// `len` examples from `start`.
struct Chunk {
    start: i64,
    len: i64,
}

/// Standard normal noise of the shape of `x0`, its axes in the same order in memory.
///
/// For a tensor with permuted axes, `randn_like` draws one number at a time and is ten times slower.
fn randn_laid_out_like(x0: &Tensor) -> Result<Tensor, NoiseError> {
    let (size, stride) = (x0.size(), x0.stride());
    let mut order: Vec<usize> = (0..size.len()).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(stride[axis]));
    let permuted: Vec<i64> = order.iter().map(|&axis| size[axis]).collect();
    let mut back = vec![0; order.len()];
    for (position, &axis) in order.iter().enumerate() {
        back[axis] = position as i64;
    }
    let noise = Tensor::f_randn(permuted, (x0.kind(), x0.device()))?;
    Ok(noise.f_permute(back)?)
}

//! The noise that a forecast draws from torch's generator, drawn again.

use objective::{Family, Likelihood};
use tch::{Device, Kind, Tensor};
use train::Forecaster;
use vae::Residuals;

const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

/// The draws of one window, in the form of the inputs of a graph.
pub(crate) struct Noise {
    /// `[S, 1, groups · D]`.
    pub(crate) latent: Tensor,
    /// `[S, 1, T, C]`.
    pub(crate) values: Tensor,
    /// For Student's t, `[S, 1, T, C]`.
    pub(crate) chi_square: Option<Tensor>,
}

/// Draws what `Forecaster::sample` draws next: latent variables group by group, and then the values.
pub(crate) fn draw(
    forecaster: &Forecaster,
    freedom: Option<&Tensor>,
    samples: i64,
    steps: i64,
) -> Noise {
    let model = forecaster.model();
    let groups: Vec<Tensor> = (0..model.groups())
        .map(|_| Tensor::randn([samples, 1, model.latent_dims()], F32))
        .collect();
    let size = [samples, 1, steps, model.shape().channels];
    let correlated = model.config().residuals == Residuals::Correlated;
    let (values, chi_square) = match model.family() {
        Family::StudentT if correlated => {
            let values = Tensor::randn(size, F32);
            let half = freedom.map(|freedom| (freedom * 0.5).expand(size, false));
            (values, half.map(|half| half.internal_standard_gamma() * 2.0))
        }
        // Its own draws are no product of a normal: they take the place of the normals, and ν that of χ².
        Family::StudentT => {
            let drawn = freedom.map(|freedom| student_t(&size, freedom));
            let freedom = freedom.map(|freedom| freedom.expand(size, false).contiguous());
            (drawn.unwrap_or_else(|| Tensor::randn(size, F32)), freedom)
        }
        Family::Laplace if !correlated => (laplace(&size), None),
        Family::Gaussian | Family::Laplace => (Tensor::randn(size, F32), None),
    };
    Noise { latent: Tensor::cat(&groups, 2), values, chi_square }
}

/// Standard normals that become the Laplace draws of the generator: `Φ⁻¹(F(x))`.
fn laplace(size: &[i64]) -> Tensor {
    let law = Likelihood::laplace(Tensor::zeros(size, F32), Tensor::zeros([1], F32)).unwrap();
    let x = law.standard_noise_of(size).unwrap().to_kind(Kind::Double);
    let tail = (-x.abs()).exp() * 0.5;
    (x.sign() * -tail.special_ndtri()).to_kind(Kind::Float)
}

fn student_t(size: &[i64], freedom: &Tensor) -> Tensor {
    let [loc, log_scale] = [size, &[1]].map(|size| Tensor::zeros(size, F32));
    let law = Likelihood::student_t(loc, log_scale, (freedom - 2.0).log()).unwrap();
    law.standard_noise_of(size).unwrap()
}

//! scratch
#![allow(missing_docs, clippy::print_stdout)]
use objective::Family;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use vae::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-3
}
fn main() {
    tch::set_num_threads(1);
    let which = std::env::args().nth(1).unwrap_or_default();
    let shape = Shape::new(96, 24, 7);
    for kind in [ModelKind::Autoencode, ModelKind::Predict, ModelKind::Conditional, ModelKind::Hierarchical] {
    for backbone in [BackboneKind::Linear, BackboneKind::Mlp, BackboneKind::Gru, BackboneKind::Conv, BackboneKind::Patch] {
        for channels in [Channels::Independent, Channels::Joint] {
        let name = format!("{kind:?}/{backbone:?}/{channels:?}");
        if !name.contains(&which) { continue; }
        let store = VarStore::new(Device::Cpu);
        let config = ModelConfig { kind, backbone, channels, hidden: 64, ..ModelConfig::default() };
        let model = Model::new(&store.root(), &config, Family::Gaussian, shape).unwrap();
        let x = Tensor::randn([64, 96, 7], (Kind::Float, Device::Cpu));
        let y = Tensor::randn([64, 24, 7], (Kind::Float, Device::Cpu));
        let obs = if kind == ModelKind::Autoencode { x.shallow_clone() } else { y.shallow_clone() };
        let inputs = Inputs::new(x);
        let vars = store.trainable_variables();
        let n = if backbone == BackboneKind::Linear || backbone == BackboneKind::Mlp { std::env::args().nth(2).map_or(300, |s| s.parse().unwrap()) } else { 20 };
        let (mut best_f, mut best_l, mut best_b) = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..std::env::args().nth(3).map_or(7, |s| s.parse().unwrap()) {
            let (mut f, mut l, mut b) = (0.0, 0.0, 0.0);
            for _ in 0..n {
                let t0 = cpu();
                let pass = model.forward(&inputs, Some(&y), true).unwrap();
                let t1 = cpu();
                let loss = pass.kl().unwrap().mean(None) - pass.likelihood.log_prob(&obs).unwrap().sum(None) / 64.0;
                let t2 = cpu();
                loss.backward();
                let t3 = cpu();
                for v in &vars { let mut v = v.shallow_clone(); v.zero_grad(); }
                f += t1 - t0; l += t2 - t1; b += t3 - t2;
            }
            best_f = best_f.min(f / n as f64); best_l = best_l.min(l / n as f64); best_b = best_b.min(b / n as f64);
        }
        let p: usize = vars.iter().map(Tensor::numel).sum();
        println!("{name:40} {p:8} params  forward {best_f:8.0} us  loss {best_l:6.0} us  backward {best_b:8.0} us  total {:8.0}", best_f + best_l + best_b);
    }}}
}

//! Several models trained side by side, whose forecasts are mixed.

use tch::{Device, Kind, Tensor, no_grad};
use train::{Batch, Columns, Config, Forecaster, Rows};

fn forecaster(kind: &str, members: usize, rows: &Rows) -> Forecaster {
    let text = format!(
        "[data]\nsource = \"seattle-weather\"\ncontext = 12\nhorizon = 4\n\
        [noise]\nschedule = \"none\"\n\
        [model]\nkind = \"{kind}\"\nhidden = 16\nlatent = 2\n[train]\nmembers = {members}\n"
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    Forecaster::new(&config, rows.shape(), Device::Cpu).unwrap()
}

fn rows() -> (Rows, Batch) {
    let columns = Columns { context: 12, horizon: 4, targets: 2, past: 0, future: 0 };
    let values: Vec<f32> = (0..200_u16).map(|i| 2.0 * (f32::from(i) * 0.9).sin() + 0.5).collect();
    let rows = Rows::new(&values, None, columns, Device::Cpu).unwrap();
    let batch = rows.gather(&Tensor::arange(60, (Kind::Int64, Device::Cpu))).unwrap();
    (rows, batch)
}

/// A forecaster of three members, and each of them alone.
fn three(kind: &str, rows: &Rows) -> (Forecaster, Vec<Forecaster>) {
    tch::manual_seed(3);
    let together = forecaster(kind, 3, rows);
    let weights = together.store().variables();
    let alone = ["", "member-1.", "member-2."].map(|folder| {
        let single = forecaster(kind, 1, rows);
        for (name, mut variable) in single.store().variables() {
            no_grad(|| variable.copy_(&weights[&format!("{folder}{name}")]));
        }
        single
    });
    (together, alone.into())
}

fn close(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && a.allclose(b, 1e-5, 1e-6, false)
}

/// Oracle: each member alone, one after another from one generator.
#[test]
fn samples_are_those_of_the_members_and_the_rest_their_average() {
    let (rows, batch) = rows();
    for kind in ["conditional", "predict", "hierarchical"] {
        let (together, alone) = three(kind, &rows);
        tch::manual_seed(7);
        let got = together.sample(&batch, 8).unwrap();
        tch::manual_seed(7);
        let parts: Vec<Tensor> = [3, 3, 2]
            .iter()
            .zip(&alone)
            .map(|(&part, single)| single.sample(&batch, part).unwrap())
            .collect();
        assert!(close(&got, &Tensor::cat(&parts, 0)), "{kind}");
        assert!(!close(&parts[0], &parts[1]), "{kind}: members differ");
        assert_eq!(together.sample(&batch, 2).unwrap().size()[0], 2, "fewer samples than members");

        averages(kind, &batch, &together, &alone);
    }
}

fn averages(kind: &str, batch: &Batch, together: &Forecaster, alone: &[Forecaster]) {
    let check = |what: &str, of: &dyn Fn(&Forecaster) -> Tensor| {
        tch::manual_seed(7);
        let got = of(together);
        tch::manual_seed(7);
        let each: Vec<Tensor> = alone.iter().map(of).collect();
        let expected = Tensor::stack(&each, 0).mean_dim(0, false, None::<Kind>);
        assert!(close(&got, &expected), "{kind}: {what}");
    };
    check("mean", &|forecaster| forecaster.mean(batch, 2).unwrap());
    check("density", &|forecaster| forecaster.log_density(batch, 2).unwrap().exp());
    check("loss", &|forecaster| forecaster.training_terms(batch, 0).unwrap().loss.detach());
    check("held", &|forecaster| forecaster.clean_terms(batch, 0).unwrap().0.loss.detach());
}

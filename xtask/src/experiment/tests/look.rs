use super::fake::*;
#[test]
fn look() {
    let fake = Fake::new();
    let q = std::fs::read_to_string("/work/main/configs/experiments/quickstart.toml")
        .unwrap()
        .replace("../seattle-weather.toml", "../base.toml");
    fake.write("configs/experiments/trial.toml", &q);
    for seed in 1..=3 {
        let j = 0.002 * (seed as f64 * 3.3).sin();
        fake.prepare("no-noise", seed, Skill { test: 0.368 + j, gap: 0.09 }, 0.363);
        fake.prepare("plain", seed, Skill { test: 0.378 - j, gap: 0.02 }, 0.363);
        fake.prepare("x0", seed, Skill { test: 0.3675 + j, gap: 0.035 }, 0.363);
        fake.prepare("x0-y0", seed, Skill { test: 0.370 - j, gap: 0.04 }, 0.363);
    }
    if std::env::var("FAILS").is_ok() {
        fake.write("prepared/x0/seed-2/exit", "");
    }
    let _ = fake.conduct(ALL);
    println!("{}", fake.read("runs/trial/table.md"));
    std::fs::create_dir_all("/tmp/look").unwrap();
    std::fs::write("/tmp/look/report.html", fake.read("runs/trial/report.html")).unwrap();
}

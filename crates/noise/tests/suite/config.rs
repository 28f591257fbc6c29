//! The `[noise]` table: defaults, borders, and what each error says.

use noise::{
    NoiseConfig, NoiseShape, NoiseTable, Normalization, Schedule, ScheduleKind, TargetLikelihood,
};

/// The table `text`, of a linear schedule unless it names one.
fn parse(text: &str) -> Result<NoiseConfig, String> {
    let named = if text.starts_with("schedule") { "" } else { "schedule = \"linear\"\n" };
    toml::from_str(&format!("{named}{text}")).map_err(|error| error.message().to_owned())
}

/// Without a table there is no noise; a table says which noise it means.
#[test]
fn a_table_names_its_schedule() {
    assert_eq!(parse("schedule = \"none\"").unwrap(), NoiseConfig::default());
    assert_eq!(NoiseConfig::default().steps(), 0);
    for text in ["", "steps = 50", "input = { reinject = 0 }"] {
        let error = toml::from_str::<NoiseConfig>(text).unwrap_err();
        assert_eq!(error.message(), "missing field `schedule`", "{text}");
    }
}

#[test]
fn a_schedule_alone_re_injects_inputs_and_targets() {
    let noise = parse("schedule = \"linear\"").unwrap();
    assert_eq!(noise, NoiseTable::new(ScheduleKind::Linear).try_into().unwrap());
    let schedule = Schedule::linear(100, 1e-4, 0.1).unwrap();
    assert_eq!(*noise.target().schedule(), schedule.scaled(0.1).unwrap());
    assert_eq!(*noise.input().schedule(), schedule);
    assert_eq!((noise.input().strength(), noise.target().strength()), (1.0, 1.0));
    assert_eq!(noise.input().normalization(), Normalization::Variance);
    assert_eq!(noise.target().normalization(), Normalization::Signal);
    assert_eq!(noise.likelihood(), TargetLikelihood::NoiseAware);
    assert_eq!(noise.sampler().probabilities()[0], 0.0);
    assert!((noise.sampler().probabilities()[1] - 0.01).abs() < 1e-15);
}

#[test]
fn the_resolved_table_reads_back_as_itself() {
    let texts = [
        "",
        "schedule = \"none\"",
        "schedule = \"custom\"\nbetas = [0.1, 0.0, 1.0]",
        "schedule = \"sigmoid\"\nsteps = 7\nsampler = { kind = \"low-noise\", clean = 0.5 }",
        "sampler = { kind = \"snr-uniform\", range_db = [-10, 10] }",
        "sampler = { kind = \"push-forward\", target_reinject = 0 }",
        "shape = \"window\"",
        "shape = \"gaussian\"\nspace = \"normal-scores\"\ninput = { reinject = 0.5 }",
        "shape = \"gaussian\"\ninput = { reinject = 0 }\nsampler = { kind = \"push-forward\" }",
        "target = { scale = 0, reinject = 0, normalization = \"none\", likelihood = \"direct\" }",
    ];
    for text in texts {
        let noise = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let written = toml::to_string(&noise).unwrap();
        assert_eq!(parse(&written).unwrap(), noise, "{written}");
        let json = serde_json::to_string(&noise).unwrap();
        assert_eq!(serde_json::from_str::<NoiseConfig>(&json).unwrap(), noise);
    }
    let written =
        toml::to_string(&parse("sampler = { kind = \"push-forward\" }").unwrap()).unwrap();
    assert!(written.contains("steps = 100") && written.contains("target_reinject = 1.0"));
}

/// With a coherent shape context and target are one window: one process, and a likelihood of the noised target itself.
#[test]
fn a_coherent_target_has_the_process_of_the_input() {
    for text in ["", "input = { reinject = 0.25 }", "sampler = { kind = \"push-forward\" }"] {
        let noise = parse(&format!("shape = \"gaussian\"\n{text}")).unwrap();
        assert_eq!(noise.target(), noise.input(), "{text}");
        assert_eq!(noise.likelihood(), TargetLikelihood::Direct);
        assert_eq!(noise.target().signal()[0], 1.0);
    }
    assert!(!NoiseShape::White.is_coherent() && NoiseShape::Window.is_coherent());
}

#[test]
fn schedule_names_mean_their_constructors() {
    let of = |text: &str| parse(text).unwrap().input().schedule().clone();
    let between = "steps = 9\nbeta_start = 0.01\nbeta_end = 0.2";
    let named = |name: &str| of(&format!("schedule = \"{name}\"\n{between}"));
    assert_eq!(named("linear"), Schedule::linear(9, 0.01, 0.2).unwrap());
    assert_eq!(named("quadratic"), Schedule::quadratic(9, 0.01, 0.2).unwrap());
    assert_eq!(named("sigmoid"), Schedule::sigmoid(9, 0.01, 0.2).unwrap());
    assert_eq!(named("constant"), Schedule::constant(9, 0.2).unwrap());
    assert_eq!(named("cosine"), Schedule::cosine(9).unwrap());
    assert_eq!(named("jsd"), Schedule::jsd(9).unwrap());
    assert_eq!(named("none"), Schedule::clean());
    assert_eq!(of("schedule = \"custom\"\nbetas = [0.5]"), Schedule::custom(&[0.5]).unwrap());
}

#[test]
fn each_mistake_is_named() {
    let cases = [
        ("steps = 0", "`noise.steps` is 0; it must lie in 1..=1000000"),
        ("steps = 1000001", "`noise.steps` is 1000001; it must lie in 1..=1000000"),
        ("beta_start = -0.001", "`noise.beta_start` is -0.001; it must lie in 0..=1"),
        ("beta_end = 1.001", "`noise.beta_end` is 1.001; it must lie in 0..=1"),
        ("beta_end = nan", "`noise.beta_end` is NaN; it must lie in 0..=1"),
        ("schedule = \"constant\"\nbeta_end = 2", "`noise.beta_end` is 2; it must lie in 0..=1"),
        ("beta_start = 0.2", "`beta_start` is 0.2 and `beta_end` is 0.1; the start must not"),
        ("schedule = \"custom\"", "`noise.betas` is missing; schedule \"custom\" needs it"),
        ("betas = [0.1]", "`noise.betas` has no meaning for any schedule but \"custom\""),
        ("schedule = \"custom\"\nbetas = []", "`steps` is 0; it must lie in 1..=1000000"),
        (
            "schedule = \"custom\"\nbetas = [0.1, 1.5]",
            "beta of step 2 is 1.5; it must lie in 0..=1",
        ),
        ("schedule = \"custom\"\nsteps = 3\nbetas = [0.1]", "`steps` is 3, but `betas` lists 1"),
        ("input = { reinject = -1 }", "`noise.input.reinject` is -1; it must lie in 0..=1000000"),
        (
            "target = { reinject = inf }",
            "`noise.target.reinject` is inf; it must lie in 0..=1000000",
        ),
        ("target = { scale = -0.1 }", "`noise.target.scale` is -0.1; it must lie in 0..="),
        ("target = { scale = 1000001 }", "`noise.target.scale` is 1000001; it must lie in 0..="),
        ("target = { scale = 10.1 }", "beta of step 100 is 1.01"),
        ("sampler = { clean = 1.1 }", "`noise.sampler.clean` is 1.1; it must lie in 0..=1"),
        (
            "sampler = { power = 1 }",
            "`noise.sampler.power` has no meaning for this kind of sampler",
        ),
        ("sampler = { range_db = [0, 1] }", "`noise.sampler.range_db` has no meaning"),
        ("sampler = { reinject = 1 }", "`noise.sampler.reinject` has no meaning"),
        ("sampler = { target_reinject = 1 }", "`noise.sampler.target_reinject` has no meaning"),
        ("sampler = { kind = \"low-noise\", power = -1 }", "`noise.sampler.power` is -1"),
        ("sampler = { kind = \"push-forward\", reinject = -1 }", "`noise.sampler.reinject` is -1"),
        (
            "schedule = \"jsd\"\ntarget = { scale = 1, reinject = 0 }",
            "step 100 keeps -inf dB of signal",
        ),
        (
            "sampler = { kind = \"snr-uniform\", range_db = [3, 3] }",
            "`noise.sampler.range_db[1]` is 3",
        ),
        (
            "sampler = { kind = \"snr-uniform\", range_db = [0, 1001] }",
            "`noise.sampler.range_db[1]` is 1001; it must lie in",
        ),
        ("schedule = \"none\"\nsteps = 0", "`noise.steps` is 0"),
        ("schedule = \"cosine\"\nbeta_end = 7", "`noise.beta_end` is 7"),
        ("stepz = 3", "unknown field `stepz`"),
        ("input = { lambda = 3 }", "unknown field `lambda`"),
        ("target = { kappa = 3 }", "unknown field `kappa`"),
        ("sampler = { name = \"uniform\" }", "unknown field `name`"),
        ("schedule = \"parabolic\"", "unknown variant `parabolic`"),
        ("input = { normalization = \"both\" }", "unknown variant `both`"),
        ("target = { likelihood = \"aware\" }", "unknown variant `aware`"),
        ("steps = -3", "invalid value"),
        ("shape = \"blue\"", "unknown variant `blue`"),
        (
            "space = \"normal-scores\"",
            "`noise.space` is \"normal-scores\", which `noise.shape = \"white\"` does not allow; set `noise.shape = \"gaussian\"`",
        ),
        (
            "shape = \"gaussian\"\ninput = { normalization = \"signal\" }",
            "`noise.input.normalization` is \"signal\", which `noise.shape = \"gaussian\"`",
        ),
        (
            "shape = \"window\"\ntarget = { reinject = 3 }",
            "`noise.target.reinject` is 3, which `noise.shape = \"window\"` does not allow; leave `noise.target` out",
        ),
        ("shape = \"window\"\ntarget = { scale = 0 }", "`noise.target.scale` is 0"),
        (
            "shape = \"window\"\ntarget = { normalization = \"none\" }",
            "`noise.target.normalization` is ",
        ),
        (
            "shape = \"window\"\nsampler = { kind = \"push-forward\", target_reinject = 0 }",
            "`noise.sampler.target_reinject` is 0",
        ),
    ];
    for (text, expected) in cases {
        let message = parse(text).expect_err(text);
        assert!(message.contains(expected), "{text}\n  said: {message}\n  not:  {expected}");
    }
}

#[test]
fn legal_borders_are_accepted() {
    for text in [
        "steps = 1",
        "beta_start = 0\nbeta_end = 1",
        "beta_start = 0.1",
        "schedule = \"constant\"\nbeta_end = 0",
        "input = { reinject = 0 }",
        "input = { reinject = 1e6, normalization = \"signal\" }",
        "target = { scale = 10 }",
        "schedule = \"jsd\"\ntarget = { scale = 1, reinject = 0, normalization = \"variance\" }",
        "schedule = \"jsd\"\ntarget = { scale = 1, reinject = 1e-3 }",
        "sampler = { clean = 1 }",
        "schedule = \"none\"\nsteps = 100\nsampler = { kind = \"snr-uniform\" }",
    ] {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    assert_eq!(parse("schedule = \"none\"\nsteps = 100").unwrap().steps(), 0);
}

/// The arm of an experiment that separates re-injection from less noise: the same coefficients.
#[test]
fn push_forward_is_the_exact_control_of_reinjection() {
    let base = "schedule = \"cosine\"\nsteps = 80\n";
    let arm = parse(&format!(
        "{base}input = {{ reinject = 1.0 }}\n\
         target = {{ scale = 0.5, reinject = 0.3, normalization = \"variance\" }}"
    ));
    let control = parse(&format!(
        "{base}input = {{ reinject = 0.0 }}\n\
         target = {{ scale = 0.5, reinject = 0.0, normalization = \"variance\" }}\n\
         sampler = {{ kind = \"push-forward\", reinject = 1.0, target_reinject = 0.3 }}"
    ));
    let (arm, control) = (arm.unwrap(), control.unwrap());
    assert_eq!(arm.sampler(), control.sampler());
    for (arm, control) in [(arm.input(), control.input()), (arm.target(), control.target())] {
        for t in 0..=80 {
            assert!((arm.signal()[t] - control.signal()[t]).abs() < 1e-14);
            assert!((arm.std()[t] - control.std()[t]).abs() < 1e-14);
        }
    }
}

#[test]
fn a_table_in_code_goes_through_the_same_checks() {
    let table = NoiseTable { steps: Some(10), ..NoiseTable::new(ScheduleKind::Linear) };
    assert_eq!(NoiseConfig::try_from(table.clone()).unwrap().steps(), 10);
    assert!(NoiseConfig::try_from(NoiseTable { beta_end: 7.0, ..table }).is_err());
}

//! Several processes of one command: who started them, and where they meet.

use std::fmt;

use ballast::train::Meeting;
use clap::ValueEnum;

/// The value of `--distributed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Launcher {
    /// Started by `torchrun`.
    Torchrun,
    /// Started by `srun`.
    Slurm,
    /// RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT are set for each process.
    Env,
    /// One process, whatever the variables say.
    Off,
}

/// The place of this process among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) rank: usize,
    pub(crate) world: usize,
    /// Rank among the processes of this machine.
    pub(crate) local_rank: usize,
    pub(crate) meeting: Meeting,
}

/// A variable that is missing or does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

fn misfit(text: impl Into<String>) -> Misfit {
    Misfit(text.into())
}

/// The variables of the environment.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The port of groups that name none, which is torchrun's.
const PORT: u16 = 29500;

/// The launcher that was named. If none was, torchrun, provided that it is the parent of this process, whose command line
/// is `parent`: variables alone may be left over from another program.
pub(crate) fn launcher(asked: Option<Launcher>, parent: &str, variables: Variables) -> Launcher {
    let of_torchrun = ["torchrun", "torch.distributed.run", "torch/distributed/run.py"];
    let by_torchrun = of_torchrun.iter().any(|name| parent.contains(name));
    match asked {
        Some(asked) => asked,
        None if by_torchrun && variables("TORCHELASTIC_RUN_ID").is_some() => Launcher::Torchrun,
        None => Launcher::Off,
    }
}

impl Launcher {
    /// The place that its variables give to this process; none if it runs alone.
    ///
    /// # Errors
    /// [`Misfit`] if a variable is missing, is no number, or contradicts another one.
    pub(crate) fn place(self, variables: Variables) -> Result<Option<Place>, Misfit> {
        let place = match self {
            Launcher::Off => return Ok(None),
            Launcher::Env => env(variables)?,
            Launcher::Torchrun => torchrun(variables)?,
            Launcher::Slurm => slurm(variables)?,
        };
        let Place { rank, world, .. } = place;
        match rank < world {
            true => Ok(Some(place)),
            false => Err(misfit(format!("rank {rank} of {world} processes: ranks begin with 0"))),
        }
    }
}

/// A variable as a number.
fn number(variables: Variables, name: &str, launcher: &str) -> Result<usize, Misfit> {
    let Some(text) = variables(name) else {
        return Err(misfit(format!(
            "`{name}` is not set\n  hint: `--distributed {launcher}` takes it from the environment of each process"
        )));
    };
    let wrong = |_| misfit(format!("`{name}` is `{text}`, which is not a number from 0 on"));
    text.trim().parse().map_err(wrong)
}

fn port(variables: Variables, name: &str) -> Result<Option<u16>, Misfit> {
    let Some(text) = variables(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(misfit(format!("`{name}` is `{text}`, which is not a port from 1 to 65535"))),
    }
}

/// `MASTER_ADDR`, `MASTER_PORT`, `RANK` and `WORLD_SIZE` as PyTorch reads them; rank 0 serves the store.
fn env(variables: Variables) -> Result<Place, Misfit> {
    let rank = number(variables, "RANK", "env")?;
    let world = number(variables, "WORLD_SIZE", "env")?;
    let local_rank = match variables("LOCAL_RANK") {
        Some(_) => number(variables, "LOCAL_RANK", "env")?,
        None => 0,
    };
    let host = variables("MASTER_ADDR").ok_or_else(|| {
        misfit("`MASTER_ADDR` is not set\n  hint: set it to the name of the machine of rank 0")
    })?;
    let port = port(variables, "MASTER_PORT")?.unwrap_or(PORT);
    let meeting = Meeting { host, port, serves: rank == 0, name: "ballast".to_owned() };
    Ok(Place { rank, world, local_rank, meeting })
}

/// As [`env`]; the agent of torchrun serves the store unless it says otherwise, and each restart has a meeting of its own.
fn torchrun(variables: Variables) -> Result<Place, Misfit> {
    let run = variables("TORCHELASTIC_RUN_ID").ok_or_else(|| {
        misfit("torchrun did not start this process: `TORCHELASTIC_RUN_ID` is not set\n  hint: torchrun --no-python --nproc-per-node 2 ballast …")
    })?;
    let place = env(variables)?;
    let of_agent = variables("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|text| text == "True");
    let attempt = variables("TORCHELASTIC_RESTART_COUNT").unwrap_or_default();
    let local_rank = number(variables, "LOCAL_RANK", "torchrun")?;
    let meeting = Meeting {
        serves: place.meeting.serves && !of_agent,
        name: format!("ballast/{run}/{attempt}"),
        ..place.meeting
    };
    Ok(Place { meeting, local_rank, ..place })
}

/// The tasks of one `srun`. They meet on the first machine of the step, at a port made from the number of the job.
fn slurm(variables: Variables) -> Result<Place, Misfit> {
    let number = |name| number(variables, name, "slurm");
    let hint = "\n  hint: start the tasks with `srun ballast … --distributed slurm`";
    if variables("SLURM_STEP_NUM_TASKS").is_none() {
        let inside = if variables("SLURM_JOB_ID").is_some() {
            "this process is inside a Slurm job, but not a task of `srun`"
        } else {
            "Slurm did not start this process: `SLURM_STEP_NUM_TASKS` is not set"
        };
        return Err(misfit(format!("{inside}{hint}")));
    }
    let (world, asked) = (number("SLURM_STEP_NUM_TASKS")?, number("SLURM_NTASKS")?);
    if world != asked {
        return Err(misfit(format!(
            "`SLURM_NTASKS` is {asked}, but this step of the job has {world} tasks{hint}, with one number of tasks for both"
        )));
    }
    let (rank, local_rank) = (number("SLURM_PROCID")?, number("SLURM_LOCALID")?);
    let nodes = variables("SLURM_STEP_NODELIST").or_else(|| variables("SLURM_JOB_NODELIST"));
    let host = match variables("MASTER_ADDR") {
        Some(host) => host,
        None => first_node(&nodes.unwrap_or_default()).ok_or_else(|| {
            misfit("the first machine of the step is unknown: `SLURM_STEP_NODELIST` is not set\n  hint: set `MASTER_ADDR`")
        })?,
    };
    let (job, step) = (number("SLURM_JOB_ID")?, variables("SLURM_STEP_ID").unwrap_or_default());
    let own = 20_000 + (job % 20_000) as u16;
    let port = port(variables, "MASTER_PORT")?.unwrap_or(own);
    let name = format!("ballast/{job}/{step}");
    Ok(Place { rank, world, local_rank, meeting: Meeting { host, port, serves: rank == 0, name } })
}

/// The first name of a list of Slurm, such as `gpu[007-009,12],login` or `node3`.
fn first_node(list: &str) -> Option<String> {
    let (prefix, rest) = match list.split_once('[') {
        Some((prefix, rest)) if !prefix.contains(',') => (prefix, rest),
        _ => {
            let first = list.split(',').next()?.trim();
            return (!first.is_empty()).then(|| first.to_owned());
        }
    };
    let (inside, after) = rest.split_once(']')?;
    let number = inside.split([',', '-']).next()?;
    let suffix = after.split(',').next().unwrap_or_default();
    Some(format!("{prefix}{number}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(launcher: Launcher, set: &[(&str, &str)]) -> Result<Option<Place>, String> {
        let find = |name: &str| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        launcher.place(&find).map_err(|error| error.to_string())
    }

    const OF_ENV: [(&str, &str); 4] =
        [("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "here"), ("MASTER_PORT", "41000")];

    #[test]
    fn variables_of_pytorch_give_a_place() {
        let found = place(Launcher::Env, &OF_ENV).unwrap().unwrap();
        let meeting = Meeting {
            host: "here".to_owned(),
            port: 41000,
            serves: false,
            name: "ballast".to_owned(),
        };
        assert_eq!(found, Place { rank: 1, world: 2, local_rank: 0, meeting });
        for (left_out, says) in [("RANK", "`RANK` is not set"), ("MASTER_ADDR", "`MASTER_ADDR`")] {
            let set: Vec<_> = OF_ENV.into_iter().filter(|(name, _)| *name != left_out).collect();
            assert!(place(Launcher::Env, &set).unwrap_err().contains(says));
        }
        let with = |pair| [pair].into_iter().chain(OF_ENV).collect::<Vec<_>>();
        for (pair, says) in [
            (("RANK", "2"), "rank 2 of 2"),
            (("RANK", "-1"), "`RANK` is `-1`"),
            (("WORLD_SIZE", "two"), "`WORLD_SIZE` is `two`"),
            (("MASTER_PORT", "70000"), "`MASTER_PORT` is `70000`"),
        ] {
            let said = place(Launcher::Env, &with(pair)).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(place(Launcher::Off, &OF_ENV), Ok(None));
    }

    #[test]
    fn torchrun_serves_the_store_and_each_restart_has_a_name() {
        let own = [
            ("TORCHELASTIC_RUN_ID", "7f"),
            ("TORCHELASTIC_RESTART_COUNT", "2"),
            ("LOCAL_RANK", "1"),
            ("RANK", "0"),
        ];
        let set: Vec<_> = own.into_iter().chain(OF_ENV).collect();
        let found = place(Launcher::Torchrun, &set).unwrap().unwrap();
        assert_eq!((found.rank, found.local_rank, found.meeting.serves), (0, 1, true));
        assert_eq!(found.meeting.name, "ballast/7f/2");
        let agent = ("TORCHELASTIC_USE_AGENT_STORE", "True");
        let set: Vec<_> = [agent].into_iter().chain(set).collect();
        assert!(!place(Launcher::Torchrun, &set).unwrap().unwrap().meeting.serves);
        let said = place(Launcher::Torchrun, &OF_ENV).unwrap_err();
        assert!(said.contains("torchrun did not start this process"), "{said}");
    }

    /// Only a parent is believed: variables may be left over in a shell.
    #[test]
    fn torchrun_is_known_by_its_process() {
        let variables = |name: &str| (name == "TORCHELASTIC_RUN_ID").then(|| "x".to_owned());
        let none = |_: &str| None;
        let parent = "/usr/bin/python3 /usr/bin/torchrun --no-python ballast";
        assert_eq!(launcher(None, parent, &variables), Launcher::Torchrun);
        assert_eq!(launcher(None, "bash", &variables), Launcher::Off);
        assert_eq!(launcher(None, parent, &none), Launcher::Off);
        assert_eq!(launcher(Some(Launcher::Off), parent, &variables), Launcher::Off);
    }

    #[test]
    fn tasks_of_srun_meet_on_the_first_machine() {
        let set = [
            ("SLURM_JOB_ID", "1234567"),
            ("SLURM_STEP_ID", "0"),
            ("SLURM_NTASKS", "4"),
            ("SLURM_STEP_NUM_TASKS", "4"),
            ("SLURM_PROCID", "3"),
            ("SLURM_LOCALID", "1"),
            ("SLURM_STEP_NODELIST", "gpu[007-009]"),
        ];
        let found = place(Launcher::Slurm, &set).unwrap().unwrap();
        assert_eq!((found.rank, found.world, found.local_rank), (3, 4, 1));
        assert_eq!(found.meeting.host, "gpu007");
        assert_eq!(found.meeting.port, 34_567);
        let without = |name: &str| set.into_iter().filter(|(n, _)| *n != name).collect::<Vec<_>>();
        let said = place(Launcher::Slurm, &without("SLURM_STEP_NUM_TASKS")).unwrap_err();
        assert!(said.contains("inside a Slurm job, but not a task of `srun`"), "{said}");
        let said = place(Launcher::Slurm, &[]).unwrap_err();
        assert!(said.contains("Slurm did not start this process"), "{said}");
        let other: Vec<_> = [("SLURM_NTASKS", "8")].into_iter().chain(set).collect();
        let said = place(Launcher::Slurm, &other).unwrap_err();
        assert!(said.contains("`SLURM_NTASKS` is 8, but this step of the job has 4"), "{said}");
    }

    #[test]
    fn the_first_name_of_a_list() {
        for (list, first) in [
            ("node3", Some("node3")),
            ("a,b", Some("a")),
            ("gpu[007-009,12],login", Some("gpu007")),
            ("x[5]-ib,y", Some("x5-ib")),
            ("a,b[1-2]", Some("a")),
            ("", None),
            ("broken[1-2", None),
        ] {
            assert_eq!(first_node(list).as_deref(), first, "{list}");
        }
    }
}

//! The script of a job array.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::super::job::quote;

/// A time limit as `sbatch --time` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    text: String,
    seconds: u64,
}

impl FromStr for TimeLimit {
    type Err = anyhow::Error;

    /// `M`, `M:S`, `H:M:S`, `D-H`, `D-H:M` or `D-H:M:S`.
    fn from_str(text: &str) -> Result<TimeLimit> {
        let forms = "it is minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS";
        let number = |part: &str| part.parse::<u64>().context(forms);
        let (days, rest) = match text.split_once('-') {
            Some((days, rest)) => (Some(number(days)?), rest),
            None => (None, text),
        };
        let parts = rest.split(':').map(number).collect::<Result<Vec<u64>>>()?;
        let [hours, minutes, seconds] = match (days, &parts[..]) {
            (None, [minutes]) => [0, *minutes, 0],
            (None, [minutes, seconds]) => [0, *minutes, *seconds],
            (Some(_), [hours]) => [*hours, 0, 0],
            (Some(_), [hours, minutes]) => [*hours, *minutes, 0],
            (_, [hours, minutes, seconds]) => [*hours, *minutes, *seconds],
            _ => bail!(forms),
        };
        let (days, longest) = (days.unwrap_or(0), 10_000_000);
        if [days, hours, minutes, seconds].iter().any(|part| *part > longest) {
            bail!("that is longer than any run");
        }
        let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
        if seconds < 60 {
            bail!("Slurm counts in minutes; give it at least one");
        }
        Ok(TimeLimit { text: text.to_owned(), seconds })
    }
}

impl TimeLimit {
    /// Seconds between the signal and the limit: enough to finish a step and write a checkpoint.
    fn lead(&self) -> u64 {
        (self.seconds / 2).min(120)
    }
}

/// A further option of `sbatch`: `KEY=VALUE`, or `KEY` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra {
    key: String,
    value: Option<String>,
}

impl FromStr for Extra {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Extra> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if key.is_empty() || key.starts_with('-') || !key.bytes().all(plain) {
            bail!(
                "it is KEY=VALUE with the long name of an option of sbatch, such as partition=gpu"
            );
        }
        if value
            .as_ref()
            .is_some_and(|v| v.contains(|c: char| c.is_control() || "\"\\".contains(c)))
        {
            bail!("the value holds a quotation mark, a backslash or a control character");
        }
        let ours = ["array", "output", "signal", "dependency", "parsable", "wrap", "chdir"];
        match key {
            "time" => bail!("the time limit is given by --time-limit"),
            "clusters" => {
                bail!("other clusters are not watched; run this on a node of that cluster")
            }
            key if ours.contains(&key) => bail!("`{key}` is set by the experiment itself"),
            _ => Ok(Extra { key: key.to_owned(), value }),
        }
    }
}

/// A job array: consecutive tasks of a submission.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    /// The name of the experiment.
    pub(crate) name: &'a str,
    /// The submission's folder, relative to the workspace.
    pub(crate) folder: &'a str,
    /// The number of this script in the folder, from 1.
    pub(crate) number: usize,
    /// Its first task in the submission's list, and how many they are.
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// Most tasks at a time.
    pub(crate) jobs: usize,
    pub(crate) cuda: bool,
    pub(crate) threads: &'a str,
    pub(crate) time_limit: &'a TimeLimit,
    pub(crate) extra: &'a [Extra],
}

impl Array<'_> {
    /// The script. It becomes our own executable (`exec`), so that Slurm's signal reaches that.
    pub(crate) fn script(&self, root: &Path, lab: &Path, ballast: &Path) -> Result<String> {
        let Array { name, folder, number, first, threads, .. } = self;
        let mut options: Vec<(&str, Option<String>)> = Vec::new();
        let mut set = |key, value: String| options.push((key, Some(value)));
        set("job-name", format!("ballast-{name}"));
        set("array", format!("0-{}%{}", self.count - 1, self.jobs));
        set("output", format!("{folder}/job-{number}-%a.log"));
        set("open-mode", "append".to_owned());
        set("ntasks", "1".to_owned());
        set("cpus-per-task", threads.to_string());
        if self.cuda {
            set("gpus-per-task", "1".to_owned());
        }
        set("time", self.time_limit.text.clone());
        set("signal", format!("B:TERM@{}", self.time_limit.lead()));
        options.push(("requeue", None));
        for Extra { key, value } in self.extra {
            options.retain(|(ours, _)| ours != key);
            options.push((key, value.clone()));
        }
        let mut script = "#!/bin/bash\n".to_owned();
        for (key, value) in options {
            let _ = match value {
                Some(value) if quote(&value) == value => {
                    writeln!(script, "#SBATCH --{key}={value}")
                }
                Some(value) => writeln!(script, "#SBATCH --{key}=\"{value}\""),
                None => writeln!(script, "#SBATCH --{key}"),
            };
        }
        let path = |path: &Path| -> Result<String> {
            let text = path
                .to_str()
                .with_context(|| format!("{} is not UTF-8, as a script must be", path.display()))?;
            Ok(quote(text))
        };
        let (root, lab, ballast) = (path(root)?, path(lab)?, path(ballast)?);
        let _ = write!(
            script,
            "\n# Written by `cargo xtask experiment {name} --launcher slurm`; see docs/slurm.md.\n\
             export OMP_NUM_THREADS={}\n\
             cd {root} || exit 66\n\
             exec {lab} experiment-job --ballast {ballast} \\\n  \
             --list {folder}/jobs.json --index $(({first} + SLURM_ARRAY_TASK_ID))\n",
            quote(threads)
        );
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn array<'a>(time_limit: &'a TimeLimit, extra: &'a [Extra]) -> Array<'a> {
        let (name, folder) = ("trial", "runs/trial/slurm/1");
        let (number, first, count, jobs) = (2, 4, 6, 3);
        Array {
            name,
            folder,
            number,
            first,
            count,
            jobs,
            cuda: true,
            threads: "1",
            time_limit,
            extra,
        }
    }

    #[test]
    fn the_script_is_what_it_was() {
        let limit = "02:00:00".parse().unwrap();
        let extra = ["partition=gpu", "comment=two words", "exclusive", "cpus-per-task=4"];
        let extra = extra.map(|text| text.parse().unwrap());
        let paths = ["/a b/here", "/bin/lab", "/bin/ballast"].map(Path::new);
        let script = array(&limit, &extra).script(paths[0], paths[1], paths[2]).unwrap();
        let expected = r#"#!/bin/bash
#SBATCH --job-name=ballast-trial
#SBATCH --array=0-5%3
#SBATCH --output=runs/trial/slurm/1/job-2-%a.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --gpus-per-task=1
#SBATCH --time=02:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --partition=gpu
#SBATCH --comment="two words"
#SBATCH --exclusive
#SBATCH --cpus-per-task=4

# Written by `cargo xtask experiment trial --launcher slurm`; see docs/slurm.md.
export OMP_NUM_THREADS=1
cd '/a b/here' || exit 66
exec /bin/lab experiment-job --ballast /bin/ballast \
  --list runs/trial/slurm/1/jobs.json --index $((4 + SLURM_ARRAY_TASK_ID))
"#;
        assert_eq!(script, expected);
    }

    /// Oracle: bash reads it without running it, whatever the paths hold.
    #[test]
    fn bash_understands_the_script() {
        let limit = "90".parse().unwrap();
        for root in ["/plain", "/it's here", "/a\"b$(c)`d`;e", "/100% of it"] {
            let script =
                array(&limit, &[]).script(Path::new(root), Path::new(root), Path::new(root));
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.unwrap().as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success(), "{root}");
        }
    }

    /// Oracle: the table in the manual of sbatch.
    #[test]
    fn time_limits_are_those_of_slurm() {
        let seconds = |text: &str| text.parse::<TimeLimit>().map(|limit| limit.seconds);
        let good = [
            ("90", 5_400),
            ("90:30", 5_430),
            ("02:00:00", 7_200),
            ("1-0", 86_400),
            ("1-02:03", 93_780),
            ("1-02:03:04", 93_784),
        ];
        for (text, expected) in good {
            assert_eq!(seconds(text).unwrap(), expected, "{text}");
        }
        for bad in ["", "2h", "0", "00:59", "1:2:3:4", "1-", "-1", "1-1:2:3:4", "99999999999999999"]
        {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!("1:30".parse::<TimeLimit>().unwrap().lead(), 45);
    }

    #[test]
    fn options_that_would_break_the_script_are_refused() {
        let error = |text: &str| text.parse::<Extra>().expect_err(text).to_string();
        for bad in ["", "=x", "-p=gpu", "--partition=gpu", "Partition=gpu", "a b=c"] {
            assert!(error(bad).starts_with("it is KEY=VALUE"), "{bad}");
        }
        assert!(error("comment=a\n#SBATCH --x").contains("control character"));
        assert_eq!(error("time=5"), "the time limit is given by --time-limit");
        assert_eq!(error("array=0-9"), "`array` is set by the experiment itself");
    }
}

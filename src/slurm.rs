//! A planned import as two Slurm jobs: an array that converts the segments, and a merge that waits for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::base::error::{Error, Result, failed};
use crate::base::ranges::ranges;
use crate::base::shell::{quoted, quoted_word};

/// Slurm's default for `MaxArraySize`; array indices stay below it.
pub(crate) const DEFAULT_MAX_ARRAY: u32 = 1001;
/// `sbatch` options that submitting sets itself; changing them would break the link between the two jobs.
const OUR_OPTIONS: [&str; 5] = ["--array", "--dependency", "--wrap", "-a", "-d"];

/// The import to submit.
pub(crate) struct Jobs {
    /// The path of this program on the nodes.
    pub program: PathBuf,
    /// The output directory, absolute.
    pub output: PathBuf,
    pub n_segments: u32,
    /// The segments still to be done, in order.
    pub missing: Vec<u32>,
    /// Most tasks to run at the same time.
    pub at_once: Option<u32>,
    /// `MaxArraySize` of the site.
    pub max_array: u32,
    /// Further `sbatch` options, for both jobs.
    pub options: Vec<String>,
}

/// The job numbers from Slurm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submitted {
    /// `None` if all segments were already done.
    pub array: Option<String>,
    pub merge: String,
}

impl Jobs {
    /// Refuses `sbatch` options that this program sets itself.
    ///
    /// # Errors
    /// `Error::Usage`, naming the option.
    pub(crate) fn check_options(options: &[String]) -> Result<()> {
        let is_ours = |o: &&String| OUR_OPTIONS.iter().any(|ours| o.starts_with(ours));
        match options.iter().find(is_ours) {
            Some(option) => Err(Error::Usage(format!(
                "{option}: the plan decides the array and what the merge waits for; use --at-once to limit how many tasks run at a time"
            ))),
            None => Ok(()),
        }
    }

    /// Tasks in the array: one per segment, or as many as the site allows, each doing several.
    fn n_tasks(&self) -> u32 {
        self.n_segments.min(self.max_array.max(1))
    }

    /// Most segments that one task does.
    pub(crate) fn segments_per_task(&self) -> u32 {
        self.n_segments.div_ceil(self.n_tasks().max(1))
    }

    /// The `sbatch` arguments for the array; `None` if all segments are done.
    pub(crate) fn array(&self) -> Option<Vec<String>> {
        if self.missing.is_empty() {
            return None;
        }
        let (program, out, n) = (quoted(&self.program), quoted(&self.output), self.n_tasks());
        let mut tasks: Vec<u32> = self.missing.iter().map(|segment| segment % n).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let limit = self.at_once.map_or(String::new(), |n| format!("%{n}"));
        let task = match self.segments_per_task() {
            1 => format!("exec {program} worker {out} --segment \"$SLURM_ARRAY_TASK_ID\""),
            _ => format!(
                "for segment in $(seq \"$SLURM_ARRAY_TASK_ID\" {n} {}); do \
                 {program} worker {out} --segment \"$segment\" || exit; done",
                self.n_segments - 1
            ),
        };
        let array = format!("--array={}{limit}", ranges(&tasks).replace(", ", ","));
        Some(self.arguments("convert", &[array, "--requeue".into()], task))
    }

    /// The `sbatch` arguments for the merge, which waits until every task of the array has succeeded.
    pub(crate) fn merge(&self, array: Option<&str>) -> Vec<String> {
        let task = format!("exec {} merge {}", quoted(&self.program), quoted(&self.output));
        // Without the second option it would wait forever after a failed task.
        let waits = |array| vec![format!("--dependency=afterok:{array}"), "--kill-on-invalid-dep=yes".into()];
        let mut options = array.map_or(Vec::new(), waits);
        options.push("--requeue".into());
        self.arguments("merge", &options, task)
    }

    fn arguments(&self, what: &str, ours: &[String], task: String) -> Vec<String> {
        let name = self.output.file_name().map_or("segy".into(), |n| n.to_string_lossy().into_owned());
        let mut arguments = vec!["--parsable".into(), format!("--job-name={what}-{name}")];
        arguments.extend(self.options.iter().chain(ours).cloned());
        arguments.push(format!("--wrap={task}"));
        arguments
    }

    /// The shell commands, one per line.
    pub(crate) fn commands(&self) -> Vec<String> {
        let line = |arguments: &[String]| {
            let words = arguments.iter().map(|word| match word.split_once('=') {
                // The array's job number comes from the line before.
                Some(("--dependency", job)) => format!("--dependency={job}"),
                Some((option, value)) if option.starts_with("--") => format!("{option}={}", quoted_word(value)),
                _ => quoted_word(word),
            });
            format!("sbatch {}", words.collect::<Vec<_>>().join(" "))
        };
        match self.array() {
            // With several clusters, the cluster name follows the job number.
            Some(array) => vec![format!("job=$({})", line(&array)), line(&self.merge(Some("\"${job%%;*}\"")))],
            None => vec![line(&self.merge(None))],
        }
    }

    /// Submits both jobs.
    ///
    /// # Errors
    /// `Error::Failed` with the message from `sbatch`.
    pub(crate) fn submit(&self) -> Result<Submitted> {
        let array = self.array().map(|arguments| sbatch(&arguments)).transpose()?;
        let merge = sbatch(&self.merge(array.as_deref())).map_err(|error| match &array {
            Some(job) => Error::Failed(format!(
                "{error}; the array is submitted as job {job}; when it has ended, run: segy-import merge {}",
                quoted(&self.output)
            )),
            None => error,
        })?;
        Ok(Submitted { array, merge })
    }
}

/// Runs `sbatch` and returns the job number.
fn sbatch(arguments: &[String]) -> Result<String> {
    let output = Command::new("sbatch").args(arguments).stdin(Stdio::null()).output().map_err(failed("sbatch"))?;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let job = said.trim().split(';').next().unwrap_or_default();
    if output.status.success() && !job.is_empty() {
        return Ok(job.to_owned());
    }
    let wrong: Vec<&str> = wrong.lines().map(str::trim).collect();
    Err(Error::Failed(format!("sbatch took no job ({}): {}", output.status, wrong.join(" | "))))
}

/// `MaxArraySize` of the site; `None` if Slurm cannot be asked.
pub(crate) fn max_array_of_site() -> Option<u32> {
    let output = Command::new("scontrol").args(["show", "config"]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = text.lines().filter_map(|line| line.split_once('=')).find(|(name, _)| name.trim() == "MaxArraySize")?.1;
    value.trim().parse().ok()
}

/// The path as every node sees it; a place in an object store is unchanged.
///
/// # Errors
/// `Error::Usage` if the path cannot be made absolute.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    if crate::store::is_remote(path) {
        return Ok(path.to_owned());
    }
    std::path::absolute(path).map_err(|e| Error::Usage(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(n_segments: u32, missing: &[u32]) -> Jobs {
        Jobs {
            program: "/opt/segy-import".into(),
            output: "/data/it's here".into(),
            n_segments,
            missing: missing.to_vec(),
            at_once: None,
            max_array: DEFAULT_MAX_ARRAY,
            options: vec!["--time=1:00:00".into()],
        }
    }

    /// The arguments that a shell passes to `sbatch`.
    fn as_seen_by_sbatch(commands: &[String]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let script = format!(
            "sbatch() {{ printf '%s\\n' \"$@\" >> '{}'; echo '77;cluster'; }}\n{}\n",
            log.display(),
            commands.join("\n")
        );
        assert!(Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).status().unwrap().success());
        std::fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_commands_say_what_is_submitted() {
        let jobs = Jobs { at_once: Some(8), ..jobs(64, &(0..64).collect::<Vec<_>>()) };
        let expected = [jobs.array().unwrap(), jobs.merge(Some("77"))].concat();
        assert_eq!(as_seen_by_sbatch(&jobs.commands()), expected);
        assert!(expected.contains(&"--array=0-63%8".to_owned()), "{expected:?}");
        assert!(expected.contains(&"--dependency=afterok:77".to_owned()), "{expected:?}");
        let wrap = r#"--wrap=exec /opt/segy-import worker '/data/it'\''s here' --segment "$SLURM_ARRAY_TASK_ID""#;
        assert!(expected.contains(&wrap.to_owned()), "{expected:?}");
    }

    #[test]
    fn segments_that_are_done_have_no_task() {
        let some = jobs(64, &[3, 7, 8, 9]);
        assert!(some.array().unwrap().contains(&"--array=3,7-9".to_owned()));
        let none = jobs(64, &[]);
        assert_eq!(none.array(), None);
        assert_eq!(as_seen_by_sbatch(&none.commands()), none.merge(None));
        assert!(!none.merge(None).iter().any(|o| o.starts_with("--dependency")));
    }

    #[test]
    fn more_segments_than_an_array_may_have_are_shared_by_the_tasks() {
        let jobs = Jobs { max_array: 4, ..jobs(10, &[1, 5, 6, 9]) };
        let array = jobs.array().unwrap();
        assert!(array.contains(&"--array=1-2".to_owned()), "{array:?}");
        // Together, the tasks of the array do every segment once.
        let task = array.last().unwrap().strip_prefix("--wrap=").unwrap().replace("/opt/segy-import worker", "echo");
        let mut done = Vec::new();
        for id in 0..4 {
            let mut shell = Command::new("sh");
            let output = shell.args(["-c", &task]).env("SLURM_ARRAY_TASK_ID", id.to_string()).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            done.extend(said.lines().map(|l| l.rsplit(' ').next().unwrap().parse::<u32>().unwrap()));
        }
        done.sort_unstable();
        assert_eq!(done, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn options_that_would_take_the_jobs_apart_are_refused() {
        let check = |option: &str| Jobs::check_options(&[option.to_owned()]);
        for ours in ["--array=0-3", "--array", "-a", "-a0-3", "-d", "--dependency=singleton", "--wrap=ls"] {
            assert!(check(ours).is_err(), "{ours}");
        }
        for theirs in ["--account=seis", "-Aseis", "--deadline=now", "-p", "main"] {
            assert!(check(theirs).is_ok(), "{theirs}");
        }
    }
}

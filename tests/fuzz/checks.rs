//! What has to hold whatever the bytes are. The fuzz targets run these, and the test of the kept inputs too.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;
use segy_import::internals::convert_segment;
use segy_import::internals::inspect_text;
use segy_import::internals::{Ending, Event, Launch, Listener, Running, Tally, convert_segments, forward_messages};
use segy_import::internals::{Output, Place};
use segy_import::internals::{PLAN_VERSION, Plan};
use segy_import::internals::{merge, of_contents};
use segy_import::{CancelHandle, Error, ImportConfig, InputFormat, Overrides, Ragged, Result};
use segy_import::{GenerateConfig, generate};
use segy_import::{InspectConfig, Inspector};

/// Plans that ask for more memory than this are right, and slow.
const MOST_BYTES: u64 = 16 << 20;
/// Segments of a plan that are converted.
const MOST_SEGMENTS: usize = 4;

/// Looks at a file in every way, and converts what can be read of it.
pub(crate) fn layout(file: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let (input, staging) = (directory.path().join("in.sgy"), directory.path().join("staging"));
    fs::write(&input, file).unwrap();
    let lenient = Overrides { allow_truncated: true, ragged: Ragged::Pad, ..Overrides::default() };
    let without_file_header = Overrides { input_format: Some(InputFormat::Su), ..lenient.clone() };
    for overrides in [Overrides::default(), lenient, without_file_header] {
        if accepted(look_at(&input, &overrides)).is_none() {
            continue;
        }
        let mut config = ImportConfig::new(&input, directory.path().join("out"));
        config.overrides = overrides;
        let Some(plan) = accepted(config.plan()) else { continue };
        // What goes to a worker comes back the same, and is taken for sound.
        assert_eq!(Plan::from_json(&serde_json::to_vec(&plan).unwrap()), Ok(plan.clone()));
        accepted(convert_segment(&plan, &Place::of(&staging).unwrap(), 0, &CancelHandle::new(), &mut |_| {}));
        return;
    }
}

/// `None` for what was refused, which has to be because of the file.
fn accepted<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Input(message)) => {
            assert!(!message.contains('\n'), "{message}");
            None
        }
        Err(other) => panic!("exit code {}: {other}", other.exit_code()),
    }
}

fn look_at(input: &Path, overrides: &Overrides) -> Result<()> {
    let mut config = InspectConfig::new(input);
    (config.reading.overrides, config.scan, config.threads) = (overrides.clone(), true, Some(1));
    let (inspector, cancel) = (Inspector::open(config)?, CancelHandle::new());
    let found = inspector.report(&mut |_| {}, &cancel)?;
    assert!(!inspect_text::report(&found).is_empty());
    serde_json::to_string(&found).unwrap();
    for trace in [1, inspector.coverage().n_traces] {
        inspect_text::trace(&inspector.trace(trace)?);
    }
    inspect_text::candidates(&inspector.candidates(&mut |_| {}, &cancel)?);
    inspect_text::findings("1", &inspector.find("1", &mut |_| {}, &cancel)?);
    Ok(())
}

/// A small file with the plan of its import in three segments.
pub(crate) struct Survey {
    directory: tempfile::TempDir,
    pub plan: Plan,
}

impl Survey {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 12, n_samples: 4, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &segy_import::CancelHandle::new()).unwrap();
        let mut config = ImportConfig::new(&input, directory.path().join("out"));
        (config.segments, config.chunk_traces, config.shard_chunks) = (Some(3), Some(1), Some(2));
        Self { plan: config.plan().unwrap(), directory }
    }
}

/// Follows a plan, if it is one, with the file of the survey in the place of those that it names. Returns whether it is.
pub(crate) fn plan(survey: &Survey, text: &[u8]) -> bool {
    let Ok(mut plan) = Plan::from_json(&of_this_version(survey, text)) else { return false };
    for file in &mut plan.files {
        file.input.clone_from(&survey.plan.files[0].input);
    }
    if plan.worker_bytes() > MOST_BYTES {
        return true;
    }
    let staging = survey.directory.path().join("staging");
    for id in 0..plan.segments.len().min(MOST_SEGMENTS) {
        // Whatever the plan says of the file, the worker says what is wrong.
        let _ = convert_segment(&plan, &Place::of(&staging).unwrap(), id as u32, &CancelHandle::new(), &mut |_| {});
    }
    let _ = fs::remove_dir_all(&staging);
    true
}

/// Up to version 6 the array of the traces was not yet inside of a target.
fn wrap_traces(plan: &mut Vec<u8>) {
    const TRACES: &[u8] = b"\"traces\":{";
    let Some(start) = plan.windows(TRACES.len()).position(|w| w == TRACES) else { return };
    let mut depth = 0;
    let closes = |byte: &u8| {
        depth += i32::from(*byte == b'{') - i32::from(*byte == b'}');
        depth == 0
    };
    let first = start + TRACES.len() - 1;
    if let Some(n) = plan[first..].iter().position(closes) {
        plan.insert(first + n, b'}');
        plan.splice(start..start, b"\"target\":{".iter().copied());
    }
}

/// A plan of an earlier version as one of this, so that what was found with it goes on being tried.
fn of_this_version(survey: &Survey, text: &[u8]) -> Vec<u8> {
    let find = |key: &[u8]| text.windows(key.len()).position(|w| w == key).map(|at| at + key.len());
    let Some(at) = find(b"\"version\":") else { return text.to_vec() };
    let n = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !matches!(std::str::from_utf8(&text[at..at + n]).map(str::parse), Ok(Ok(3..PLAN_VERSION))) {
        return text.to_vec();
    }
    let mut plan = [&text[..at], PLAN_VERSION.to_string().as_bytes(), &text[at + n..]].concat();
    wrap_traces(&mut plan);
    // Version 4 has told how to merge, 3 has not.
    if find(b"\"merge\":").is_none() && plan.first() == Some(&b'{') {
        let merge = serde_json::to_string(&survey.plan.merge).unwrap();
        plan.splice(1..1, format!("\"merge\":{merge},").into_bytes());
    }
    // Version 6 has permissions, and the time of the last change of each input.
    if find(b"\"file_mode\":").is_none() && plan.first() == Some(&b'{') {
        plan.splice(1..1, *b"\"file_mode\":438,");
        let key = b"\"modified_ns\"";
        let places: Vec<usize> = (0..plan.len()).filter(|&at| plan[at..].starts_with(key)).collect();
        places.into_iter().rev().for_each(|at| drop(plan.splice(at..at, *b"\"changed_ns\":0,")));
    }
    plan
}

/// Lets workers say these lines; each blank line ends what one of them says. Merges what they make the coordinator
/// believe.
pub(crate) fn lines(survey: &Survey, text: &[u8]) {
    let said: Vec<Vec<u8>> = text.split(|&b| b == b'\n').fold(vec![Vec::new()], |mut said, line| {
        match said.last_mut() {
            Some(last) if !line.is_empty() => last.extend(line.iter().chain(b"\n")),
            _ => said.push(Vec::new()),
        }
        said
    });
    let launcher = Recorded { said, next: Cell::new(0) };
    let (plan, cancel) = (Arc::new(survey.plan.clone()), CancelHandle::new());
    let root = survey.directory.path().join("out");
    let output = Output::open(&root, false, 0o666).unwrap();
    output.start(&plan).unwrap();
    let staging = output.staging();
    if let Ok(records) = convert_segments(&plan, &staging, &launcher, 2, Vec::new(), &cancel, &mut Deaf) {
        for segment in &plan.segments {
            convert_segment(&plan, &staging, segment.id, &cancel, &mut |_| {}).unwrap();
        }
        of_contents(&plan, &records);
        let _ = merge(&plan, &output, &records, &cancel, &mut |_| {});
    }
    output.discard().unwrap();
    assert!(!root.exists());
}

/// Workers that say what was recorded, one after the other, and then nothing.
struct Recorded {
    said: Vec<Vec<u8>>,
    next: Cell<usize>,
}

impl Launch for Recorded {
    fn launch(&self, _: &Arc<Plan>, _: &Place, segment: u32, events: Sender<Event>) -> Result<Box<dyn Running>> {
        let said = self.said.get(self.next.replace(self.next.get() + 1)).map_or(&b""[..], Vec::as_slice);
        forward_messages(said, segment, &events);
        Ok(Box::new(Ended))
    }
}

struct Ended;

impl Running for Ended {
    fn stop(&mut self, _: std::time::Duration) {}

    fn wait(&mut self) -> Option<Ending> {
        None
    }
}

struct Deaf;

impl Listener for Deaf {
    fn tally(&mut self, _: Tally) {}

    fn note(&mut self, line: &str) {
        assert!(!line.contains('\n'), "{line}");
    }
}

/// What numbers in text are replaced by: the edges of their types.
pub(crate) const NUMBERS: [&str; 8] =
    ["0", "1", "-1", "4294967296", "9223372036854775808", "18446744073709551615", "1e308", "null"];

/// Puts an edge in the place of a number of a text in `data[..size]`, one time in two. Returns the new size; `None`
/// where nothing was done.
pub(crate) fn mutated_text(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> Option<usize> {
    let random = |n: usize, shift: u32| (seed.wrapping_mul(0x9E37_79B1).rotate_left(shift)) as usize % n;
    if size == 0 || random(2, 3) == 0 {
        return None;
    }
    let at = random(size, 11);
    let start = at + data[at..size].iter().position(u8::is_ascii_digit)?;
    let end = start + data[start..size].iter().take_while(|b| b.is_ascii_digit()).count();
    let number = NUMBERS[random(NUMBERS.len(), 19)];
    let new_size = size - (end - start) + number.len();
    if new_size > max_size.min(data.len()) {
        return None;
    }
    data.copy_within(end..size, start + number.len());
    data[start..start + number.len()].copy_from_slice(number.as_bytes());
    Some(new_size)
}

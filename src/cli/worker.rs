//! `segy-import worker`: what the coordinator starts. It speaks JSON lines on standard output.

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;

use crate::cancel::CancelHandle;
use crate::coordinator::work;
use crate::error::Result;
use crate::plan::Plan;
use crate::protocol::WorkerMessage;

/// Convert one segment of a plan (started by the import itself)
#[derive(Args)]
pub(super) struct WorkerArgs {
    /// The plan in the staging area of the output directory
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,

    /// Number of the segment, from 0
    #[arg(long, value_name = "N")]
    segment: u32,
}

impl WorkerArgs {
    pub(super) fn run(self) -> Result<()> {
        std::thread::spawn(end_with_the_coordinator);
        let plan = Plan::read(&self.plan)?;
        let staging = self.plan.parent().map(PathBuf::from).unwrap_or_default();
        let last = work(&plan, &staging, self.segment, &CancelHandle::new(), &send);
        send(last);
        Ok(())
    }
}

/// One line. A coordinator that has gone needs no answer.
fn send(message: WorkerMessage) {
    let Ok(mut line) = serde_json::to_vec(&message) else { return };
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    let sent = stdout.write_all(&line).and_then(|()| stdout.flush());
    if sent.is_err() {
        std::process::exit(1);
    }
}

/// The coordinator holds the other end of standard input; when it dies, however it dies, this end closes.
fn end_with_the_coordinator() {
    let mut byte = [0];
    while !matches!(std::io::stdin().read(&mut byte), Ok(0) | Err(_)) {}
    std::process::exit(1);
}

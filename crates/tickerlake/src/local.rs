//! `tickerlake local`: the whole pipeline on this machine.

mod activity;
mod checked;
mod display;
mod freshness;
mod kafka;
mod plan;
mod stack;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::LocalArgs;
use crate::data_folder::DataFolder;
use crate::failure::Failure;
use activity::Activity;
use display::Display;
use plan::Plan;
use stack::Stack;

/// How long draining may take after Ctrl-C or `--for` before what is left stays in Kafka for the next run.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Runs the pipeline until it is told to stop, or is done.
pub(crate) async fn run(args: LocalArgs) -> Result<(), Failure> {
    let plan = Plan::new(&args, |variable| std::env::var(variable).ok())?;
    let folder = DataFolder::take(&args.data)?;
    let interrupts = interrupts()?;
    let started = Instant::now();

    let activity = Arc::new(Activity::new(plan.one_shot));
    let stack = Stack::start(&plan, &folder, Arc::clone(&activity)).await?;
    folder.announce(&stack.endpoints())?;
    display::introduce(&plan, &folder, &stack);

    let display = Display::start(stack.sight(), Arc::clone(&activity));
    let ended = until_done(&args, &stack, &activity, interrupts.clone()).await;
    let drained = match &ended {
        Ok(Ending::Drained) => Ok(()),
        Ok(Ending::Asked) => drain(&stack, interrupts).await,
        // What failed will fail again: whatever is under way stays in Kafka for the next run.
        Err(_) => Ok(()),
    };
    display.finish().await;
    let summary = match (&ended, &drained) {
        (Ok(_), Ok(())) => Some(display::conclude(&stack, &activity, started.elapsed()).await),
        _ => None,
    };
    stack.stop().await;
    ended?;
    drained?;
    summary.unwrap_or(Ok(()))
}

/// Why the run ends.
#[derive(Debug)]
enum Ending {
    /// By Ctrl-C, SIGTERM or `--for`.
    Asked,
    /// The source is exhausted and every quote is queryable.
    Drained,
}

async fn until_done(args: &LocalArgs, stack: &Stack, activity: &Activity, mut interrupts: watch::Receiver<u32>) -> Result<Ending, Failure> {
    let time_is_up = async {
        match args.run_for {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let drained = async {
        if args.until_drained {
            activity.exhausted().await;
            stack.drain().await
        } else {
            std::future::pending().await
        }
    };
    tokio::select! {
        _ = interrupts.wait_for(|count| *count > 0) => {
            println!("Stopping: what was fetched is being stored. Ctrl-C again stops at once.");
            Ok(Ending::Asked)
        }
        () = time_is_up => Ok(Ending::Asked),
        result = drained => result.map(|()| Ending::Drained),
        failure = activity.fatal() => Err(failure),
        failure = stack.kafka_ended() => Err(failure),
    }
}

/// Stores what was fetched, and gives up at a second Ctrl-C or after a while.
async fn drain(stack: &Stack, mut interrupts: watch::Receiver<u32>) -> Result<(), Failure> {
    stack.stop_fetching().await;
    let asked_before = *interrupts.borrow();
    tokio::select! {
        result = tokio::time::timeout(DRAIN_LIMIT, stack.drain()) => result.unwrap_or_else(|_| {
            Err(Failure::plain("not everything could be stored in time; it stays in Kafka, and the next run goes on with it"))
        }),
        _ = interrupts.wait_for(|count| *count > asked_before) => {
            Err(Failure::plain("stopped at once; what is not stored stays in Kafka, and the next run goes on with it"))
        }
    }
}

/// Counts Ctrl-C and SIGTERM.
fn interrupts() -> Result<watch::Receiver<u32>, Failure> {
    let failed = |error| Failure::new("cannot listen for signals", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (count, receiver) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(receiver)
}

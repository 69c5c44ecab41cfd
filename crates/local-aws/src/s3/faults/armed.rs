//! A fault that is set, and what a test sees and steers of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Request;
use tokio::sync::watch;

use super::trigger::Trigger;
use super::{Fault, Faults};

/// A fault on some requests.
pub(super) struct Rule {
    trigger: Trigger,
    pub(super) fault: Fault,
    /// The requests so far that the trigger describes.
    described: AtomicUsize,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    reached: usize,
    finished: usize,
    gate: Gate,
}

/// What becomes of the requests held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Closed,
    Open,
    /// The test has gone away.
    Abandoned,
}

impl Rule {
    pub(super) fn new(trigger: Trigger, fault: Fault) -> Self {
        Self { trigger, fault, described: AtomicUsize::new(0), progress: watch::Sender::default() }
    }

    /// Whether the fault is for this request, which counts with that.
    pub(super) fn meets<B>(&self, request: &Request<B>) -> bool {
        if !self.trigger.describes(request) {
            return false;
        }
        let earlier = self.described.fetch_add(1, Ordering::SeqCst);
        (self.trigger.after..self.trigger.after.saturating_add(self.trigger.times)).contains(&earlier)
    }

    /// Tells that a request has come to the point of its fault.
    pub(super) fn reached(&self) {
        self.progress.send_modify(|progress| progress.reached += 1);
    }

    /// Tells that a request has had its effect or lost it for good.
    pub(super) fn finished(&self) {
        self.progress.send_modify(|progress| progress.finished += 1);
    }

    /// Waits until requests are no longer held.
    pub(super) async fn gate(&self) -> Gate {
        let mut progress = self.progress.subscribe();
        match progress.wait_for(|progress| progress.gate != Gate::Closed).await {
            Ok(progress) => progress.gate,
            Err(_) => Gate::Abandoned,
        }
    }

    fn open(&self, gate: Gate) {
        self.progress.send_if_modified(|progress| {
            let closed = progress.gate == Gate::Closed;
            if closed {
                progress.gate = gate;
            }
            closed
        });
    }
}

/// A fault that is set. Dropping it takes the fault away, and the requests held with it: they are not carried out, if they
/// were not yet, and their connections are closed.
pub struct Armed {
    rule: Arc<Rule>,
    faults: Faults,
}

impl Armed {
    pub(super) fn new(rule: Arc<Rule>, faults: Faults) -> Self {
        Self { rule, faults }
    }

    /// Waits until a request has met the fault: for [`Fault::After`], until it has been carried out.
    pub async fn reached(&self) {
        let mut progress = self.rule.progress.subscribe();
        // It cannot end in an error: the sender lives in the rule.
        let _ = progress.wait_for(|progress| progress.reached > 0).await;
    }

    /// How many requests have met the fault.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rule.progress.borrow().reached
    }

    /// Lets the requests held go on, now and later, even those whose sender is gone: they were on their way.
    pub fn release(&self) {
        self.rule.open(Gate::Open);
    }

    /// Waits until each request that met the fault has had its effect or lost it for good.
    pub async fn settled(&self) {
        let mut progress = self.rule.progress.subscribe();
        let _ = progress.wait_for(|progress| progress.finished == progress.reached).await;
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.faults.disarm(&self.rule);
        self.rule.open(Gate::Abandoned);
    }
}

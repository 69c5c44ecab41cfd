//! One cell: one fault at one boundary, and what is stored in the end.

use std::fmt;

use bytes::Bytes;
use local_aws::lambda::{Function, Outcome};
use local_aws::s3::faults::{Armed, Failure, Fault as S3Fault, Trigger};

use super::boundary::Boundary;
use super::fault::{Fault, Then};
use crate::lake::Tally;
use crate::records::{Record, event};
use crate::stack::{LIMIT, Stack, deliver, freeze, kill};

pub(crate) struct Cell {
    /// The name of its bucket and its function.
    pub(crate) name: String,
    pub(crate) boundary: Boundary,
    pub(crate) fault: &'static Fault,
    /// Whether the mapping delivers again with other boundaries, as after a rebalance.
    pub(crate) other_boundaries: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} × {})", self.name, self.boundary.name(), self.fault.name)
    }
}

/// The records of the topic, and how many of each partition the first delivery has.
fn topic() -> (Vec<Record>, [usize; 3]) {
    let quote = Record::quote;
    let partitions = [
        vec![
            quote(0, 0, 0),
            quote(0, 1, 0),
            Record::poison(0, 2),
            quote(0, 3, 0),
            quote(0, 4, 1),
            quote(0, 5, 1),
            Record::poison(0, 6),
            quote(0, 7, 1),
        ],
        vec![quote(1, 0, 0), quote(1, 1, 1), quote(1, 2, 1)],
        vec![Record::poison(2, 0), Record::poison(2, 1)],
    ];
    (partitions.concat(), [6, 2, 1])
}

impl Cell {
    /// Lets the fault happen, delivers again until all is stored, and reads what is.
    pub(crate) async fn run(&self, stack: &Stack) -> Result<Tally, String> {
        let (records, first) = topic();
        let of = |ranges: [std::ops::Range<i64>; 3]| {
            event(records.iter().filter(|record| ranges[record.partition as usize].contains(&record.offset)))
        };
        let batch = of(first.map(|len| 0..len as i64));
        let all = event(&records);
        // Each begins at or before what was committed.
        let again = if self.other_boundaries {
            vec![of([0..2, 0..1, 0..0]), of([1..4, 0..1, 0..1]), of([4..8, 1..3, 0..2])]
        } else {
            vec![batch.clone(), all.clone()]
        };
        let function = stack.function(&self.name, &self.name, self.fault.timeout());

        if let Some(step) = self.boundary.left_by() {
            die_after(stack, &function, step.trigger(&self.name), &batch).await?;
        }

        let trigger = Trigger { times: self.fault.times, ..self.boundary.trigger(&self.name) };
        let armed = stack.faults.arm(trigger, self.fault.s3);
        let outcome = meet(&function, &batch, &armed, async {
            match self.fault.then {
                Then::Wait => {}
                Then::Kill | Then::KillAndReleaseLate => kill(&function),
                Then::Freeze => freeze(&function),
                Then::Overtake => {
                    let other = stack.function(&format!("{}-other", self.name), &self.name, LIMIT);
                    let overlapping = if self.other_boundaries { &again[0] } else { &all };
                    let overtaken = deliver(&other, overlapping).await;
                    other.stop().await;
                    armed.release();
                    overtaken?;
                }
            }
            Ok(())
        })
        .await?;
        if armed.count() == 0 {
            return Err(format!("no request came to the fault; the invocation came to {outcome:?}"));
        }
        if !self.fault.comes_to.is(&outcome) {
            return Err(format!("the invocation came to {outcome:?}"));
        }

        let late = (self.fault.then == Then::KillAndReleaseLate).then_some(armed);
        for event in &again {
            deliver(&function, event).await?;
        }
        if let Some(armed) = late {
            armed.release();
            armed.settled().await;
        }
        // The mapping's commit was lost: all that is stored comes once more, to an environment that knows and to one that does not.
        deliver(&function, &all).await?;
        kill(&function);
        deliver(&function, &all).await?;
        function.stop().await;

        let tally = stack.lake(&self.name).tally(&records);
        if tally == Tally::default() { Ok(tally) } else { Err(format!("{tally:?}")) }
    }
}

/// Delivers a batch to an invocation that dies after a step.
async fn die_after(stack: &Stack, function: &Function, step: Trigger, batch: &Bytes) -> Result<(), String> {
    let armed = stack.faults.arm(step, S3Fault::After(Failure::Held));
    let outcome = meet(function, batch, &armed, async {
        kill(function);
        Ok(())
    })
    .await?;
    if matches!(outcome, Outcome::Crashed { .. }) { Ok(()) } else { Err(format!("the invocation before came to {outcome:?}")) }
}

/// Delivers a batch, and does what is to be done once a request has met the fault.
async fn meet(
    function: &Function,
    batch: &Bytes,
    armed: &Armed,
    then: impl Future<Output = Result<(), String>>,
) -> Result<Outcome, String> {
    let mut invocation = std::pin::pin!(function.invoke(batch.clone()));
    let met = async {
        armed.reached().await;
        then.await
    };
    let invocation = tokio::select! {
        invocation = &mut invocation => invocation,
        done = met => {
            done?;
            invocation.await
        }
    };
    invocation.map(|invocation| invocation.outcome).map_err(|error| error.to_string())
}

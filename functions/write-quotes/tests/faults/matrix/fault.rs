//! The rows of the table.

use std::time::Duration;

use local_aws::lambda::Outcome;
use local_aws::s3::faults::{Alteration, Failure, Fault as S3Fault};

use super::boundary::Boundary;

/// A fault, what the test does when a request has met it, and what the invocation must come to.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) at: At,
    pub(crate) s3: S3Fault,
    /// How many requests meet it.
    pub(crate) times: usize,
    pub(crate) then: Then,
    pub(crate) comes_to: ComesTo,
}

/// What the test does once a request has met the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing: S3 is the one who does.
    Wait,
    /// Kills the process.
    Kill,
    /// Kills the process, and lets the request take effect only after the batch was delivered again and stored.
    KillAndReleaseLate,
    /// Stops the process, so that Lambda ends the invocation.
    Freeze,
    /// Lets another environment store an overlapping batch, then lets the request go on.
    Overtake,
}

/// What the invocation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComesTo {
    Success,
    /// The function tells an error of this type, in these words.
    Error(&'static str, &'static str),
    Crash,
    TimeOut,
}

/// The boundaries where S3 or the machine can do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Any,
    Writes,
    /// What reads or swaps an object that exists.
    Existing,
    /// GET of an object that exists.
    Body,
}

impl At {
    pub(crate) fn includes(self, boundary: Boundary) -> bool {
        use Boundary::{Advance, AdvanceAndClaim, CompareQuarantine, Covered, ReadClaim, ReadNoWatermark};
        let reads = matches!(boundary, ReadNoWatermark | ReadClaim | CompareQuarantine | Covered);
        match self {
            Self::Any => true,
            Self::Writes => !reads,
            Self::Existing => matches!(boundary, Covered | CompareQuarantine | AdvanceAndClaim | Advance),
            Self::Body => boundary == ReadClaim,
        }
    }

    /// Why it is not run elsewhere.
    pub(crate) fn elsewhere(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Writes => "only a write can be answered so, or have an effect to speak of",
            Self::Existing => {
                "S3 does not answer 404 to If-None-Match; the first read's answer is 404 as it is; and a GET of a watermark that \
                 exists cannot be answered so, for S3 reads what it wrote"
            }
            Self::Body => "only the GET of an object that exists is answered with a body and an ETag that are used",
        }
    }
}

/// The SDK tries a request four times.
const EVERY_TRY: usize = usize::MAX;

const INTERNAL_ERROR: Failure = Failure::Refused { status: 500, code: "InternalError" };
const SLOW_DOWN: Failure = Failure::Refused { status: 503, code: "SlowDown" };
const CONFLICT: Failure = Failure::Refused { status: 409, code: "ConditionalRequestConflict" };
const PRECONDITION_FAILED: Failure = Failure::Refused { status: 412, code: "PreconditionFailed" };
const NO_SUCH_KEY: Failure = Failure::Refused { status: 404, code: "NoSuchKey" };
const ACCESS_DENIED: Failure = Failure::Refused { status: 403, code: "AccessDenied" };

const RETRYABLE: &str = "Retryable";
const OUT_OF_TIME: ComesTo = ComesTo::Error(RETRYABLE, "stopped before the invocation's deadline");

const fn fault(name: &'static str, at: At, s3: S3Fault, times: usize, then: Then, comes_to: ComesTo) -> Fault {
    Fault { name, at, s3, times, then, comes_to }
}

/// The rows. Those that take longest come first.
#[rustfmt::skip]
pub(crate) const FAULTS: [Fault; 31] = {
    use Alteration::{BrokenBody, NoETag, SlowBody, StalledBody};
    use At::{Any, Body, Existing, Writes};
    use ComesTo::{Crash, Error, Success, TimeOut};
    use Failure::{Cut, ErrorInSuccess, Held};
    use S3Fault::{After, Altered, Before};
    use Then::{Freeze, Kill, KillAndReleaseLate, Overtake, Wait};
    [
        fault("no answer, before; the SDK tries again", Any, Before(Held), 1, Wait, Success),
        fault("no answer, after; the SDK tries again", Any, After(Held), 1, Wait, Success),
        fault("no answer to any try, before", Any, Before(Held), EVERY_TRY, Wait, OUT_OF_TIME),
        fault("no answer to any try, after", Any, After(Held), EVERY_TRY, Wait, OUT_OF_TIME),
        fault("invocation timed out, before", Any, Before(Held), 1, Freeze, TimeOut),
        fault("invocation timed out, after", Any, After(Held), 1, Freeze, TimeOut),
        fault("body stalled", Body, Altered(StalledBody), 1, Wait, OUT_OF_TIME),
        fault("500 to every try, before: error returned", Any, Before(INTERNAL_ERROR), EVERY_TRY, Wait, Error(RETRYABLE, "failed: ")),
        fault("500 to every try, after: error returned", Any, After(INTERNAL_ERROR), EVERY_TRY, Wait, Error(RETRYABLE, "failed: ")),
        fault("503 SlowDown to every try: error returned", Any, Before(SLOW_DOWN), EVERY_TRY, Wait, Error(RETRYABLE, "failed: ")),
        fault("process killed, before", Any, Before(Held), 1, Kill, Crash),
        fault("process killed, after", Any, After(Held), 1, Kill, Crash),
        fault("process killed, request carried out late", Writes, Before(Held), 1, KillAndReleaseLate, Crash),
        fault("overtaken by another invocation, before", Any, Before(Held), 1, Overtake, Success),
        fault("overtaken by another invocation, after", Any, After(Held), 1, Overtake, Success),
        fault("500 InternalError, before", Any, Before(INTERNAL_ERROR), 1, Wait, Success),
        fault("500 InternalError, after", Any, After(INTERNAL_ERROR), 1, Wait, Success),
        fault("503 SlowDown", Any, Before(SLOW_DOWN), 1, Wait, Success),
        fault("connection cut, before", Any, Before(Cut), 1, Wait, Success),
        fault("connection cut, after: answer lost", Any, After(Cut), 1, Wait, Success),
        fault("403 AccessDenied: error returned", Any, Before(ACCESS_DENIED), 1, Wait, Error("NonRetryable", "failed: ")),
        fault("404 NoSuchKey", Existing, Before(NO_SUCH_KEY), 1, Wait, Success),
        fault("409 ConditionalRequestConflict", Writes, Before(CONFLICT), 1, Wait, Success),
        fault("409 to every try: error returned", Writes, Before(CONFLICT), EVERY_TRY, Wait, Error(RETRYABLE, "failed: ConditionalRequestConflict")),
        fault("412 though the condition holds", Writes, Before(PRECONDITION_FAILED), 1, Wait, Success),
        fault("200 with an error in the body", Writes, Before(ErrorInSuccess), 1, Wait, Success),
        fault("200 with an error to every try: error returned", Writes, Before(ErrorInSuccess), EVERY_TRY, Wait, Error(RETRYABLE, "failed: InternalError")),
        fault("200 without an ETag", Writes, Altered(NoETag), EVERY_TRY, Wait, Success),
        fault("200 without an ETag: error returned", Body, Altered(NoETag), 1, Wait, Error(RETRYABLE, "the answer has no ETag")),
        fault("body slow", Body, Altered(SlowBody), 1, Wait, Success),
        fault("body cut in the middle: error returned", Body, Altered(BrokenBody), 1, Wait, Error(RETRYABLE, "the body broke off")),
    ]
};

impl Fault {
    /// The function's timeout: short where it is waited for, but long enough to come to the boundary on a busy machine.
    pub(crate) fn timeout(&self) -> Duration {
        let waited_for = self.comes_to == ComesTo::TimeOut || self.comes_to == OUT_OF_TIME;
        Duration::from_secs(if waited_for { 5 } else { 60 })
    }
}

impl ComesTo {
    pub(crate) fn is(self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Success, Outcome::Success(_)) | (Self::Crash, Outcome::Crashed { .. }) | (Self::TimeOut, Outcome::TimedOut { .. }) => {
                true
            }
            (Self::Error(kind, words), Outcome::FunctionError { error_type, error_message }) => {
                error_type == kind && error_message.contains(words)
            }
            _ => false,
        }
    }
}

//! The durable steps of an invocation, each a request to S3.

use local_aws::s3::faults::{Operation, Trigger};
use quotes::keys;

use crate::records::{ARRIVAL, DAYS, log};

/// A request on whose two sides an invocation may end. All are of partition 0, which goes through every step: two days,
/// with poison in the middle of the first. The other partitions are stored, or not, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    ReadNoWatermark,
    ReadClaim,
    Claim,
    Quarantine,
    CompareQuarantine,
    File,
    Covered,
    AdvanceAndClaim,
    Advance,
}

impl Boundary {
    pub(crate) const ALL: [Self; 9] = [
        Self::ReadNoWatermark,
        Self::ReadClaim,
        Self::Claim,
        Self::Quarantine,
        Self::CompareQuarantine,
        Self::File,
        Self::Covered,
        Self::AdvanceAndClaim,
        Self::Advance,
    ];

    /// The head of its column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadNoWatermark => "read watermark (none)",
            Self::ReadClaim => "read watermark (claimed)",
            Self::Claim => "claim",
            Self::Quarantine => "quarantine",
            Self::CompareQuarantine => "read quarantined",
            Self::File => "file",
            Self::Covered => "read covered",
            Self::AdvanceAndClaim => "advance and claim",
            Self::Advance => "advance",
        }
    }

    /// What it is, as a request.
    pub(crate) fn request(self) -> &'static str {
        match self {
            Self::ReadNoWatermark => "GET `state/…`, which is not there yet",
            Self::ReadClaim => "GET `state/…`, in which an invocation that died has left its claim",
            Self::Claim => "PUT `state/…` If-None-Match: the claim of the first file",
            Self::Quarantine => "PUT `quarantine/…` If-None-Match",
            Self::CompareQuarantine => "HEAD `quarantine/…`, which an invocation that died has put there",
            Self::File => "PUT `quotes/…` If-None-Match",
            Self::Covered => "HEAD `quotes/…`, which an invocation that died has put there",
            Self::AdvanceAndClaim => "PUT `state/…` If-Match: past the first day's file, with the claim of the second day's",
            Self::Advance => "PUT `state/…` If-Match: past the last record at hand",
        }
    }

    /// The request, in a bucket in which nothing was stored before, or what [`Boundary::left_by`] says.
    pub(crate) fn trigger(self, bucket: &str) -> Trigger {
        let log = log(0);
        let (operation, key_prefix, after) = match self {
            Self::ReadNoWatermark | Self::ReadClaim => (Operation::Get, keys::state(&log), 0),
            Self::Claim => (Operation::Put, keys::state(&log), 0),
            Self::AdvanceAndClaim => (Operation::Put, keys::state(&log), 1),
            Self::Advance => (Operation::Put, keys::state(&log), 2),
            Self::Quarantine => (Operation::Put, format!("{}dt={ARRIVAL}/{log}-", keys::QUARANTINE_PREFIX), 0),
            Self::CompareQuarantine => (Operation::Head, format!("{}dt={ARRIVAL}/{log}-", keys::QUARANTINE_PREFIX), 0),
            Self::File => (Operation::Put, format!("{}dt={}/{log}-", keys::QUOTES_PREFIX, DAYS[0]), 0),
            Self::Covered => (Operation::Head, format!("{}dt={}/{log}-", keys::QUOTES_PREFIX, DAYS[0]), 0),
        };
        Trigger { operation, bucket: bucket.to_owned(), key_prefix, after, times: 1 }
    }

    /// After which step an earlier invocation must have died, for an invocation to come here.
    pub(crate) fn left_by(self) -> Option<Self> {
        match self {
            Self::ReadClaim => Some(Self::Claim),
            Self::CompareQuarantine => Some(Self::Quarantine),
            Self::Covered => Some(Self::File),
            _ => None,
        }
    }
}

//! How long leadership holds, within bounds that work.

use std::time::Duration;

/// How long leadership lasts and how often it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// How long a renewal holds.
    pub duration: Duration,
    /// How often it is renewed while nothing is sent.
    pub renew_every: Duration,
}

impl Default for Tenure {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(60),
            renew_every: Duration::from_secs(15),
        }
    }
}

/// The shortest leadership that leaves room to send anything: the longest request and a margin
/// before its end nothing is sent any more.
pub const DURATION_MIN: Duration = Duration::from_secs(45);

/// The longest leadership: so long nobody leads after the leader died.
pub const DURATION_MAX: Duration = Duration::from_secs(3600);

/// Why a tenure does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenureError {
    /// There would be no time to send anything, or no leader for very long.
    #[error(
        "the lease must hold from {min} to {max} s, not {0} s",
        min = DURATION_MIN.as_secs(),
        max = DURATION_MAX.as_secs()
    )]
    Duration(u64),
    /// One renewal that is late would end leadership.
    #[error("the lease must be renewed every 1 s to {0} s: at least twice before it runs out")]
    RenewEvery(u64),
}

impl Tenure {
    /// Makes a tenure that works.
    ///
    /// # Errors
    /// [`TenureError`] where nothing could be sent, or one late renewal would end leadership.
    pub fn new(duration: Duration, renew_every: Duration) -> Result<Self, TenureError> {
        if !(DURATION_MIN..=DURATION_MAX).contains(&duration) {
            return Err(TenureError::Duration(duration.as_secs()));
        }
        let longest = duration / 2;
        if renew_every < Duration::from_secs(1) || renew_every > longest {
            return Err(TenureError::RenewEvery(longest.as_secs()));
        }
        Ok(Self {
            duration,
            renew_every,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::transport::REQUEST_TIMEOUT;
    use crate::controller::lease::MARGIN;

    #[test]
    fn a_tenure_leaves_time_to_send_and_survives_one_late_renewal() {
        let seconds = Duration::from_secs;
        let cases = [
            (60, 15, Ok(())),
            (45, 22, Ok(())),
            (3600, 1800, Ok(())),
            (44, 10, Err(TenureError::Duration(44))),
            (3601, 10, Err(TenureError::Duration(3601))),
            (60, 31, Err(TenureError::RenewEvery(30))),
            (60, 0, Err(TenureError::RenewEvery(30))),
        ];
        for (duration, renew_every, expected) in cases {
            let made = Tenure::new(seconds(duration), seconds(renew_every));
            assert_eq!(made.map(|_| ()), expected, "{duration} s, {renew_every} s");
        }
        let own = Tenure::default();
        assert_eq!(Tenure::new(own.duration, own.renew_every), Ok(own));
        assert!(
            DURATION_MIN > REQUEST_TIMEOUT + MARGIN,
            "nothing could be sent"
        );
    }
}

//! Virtual time at a speed that people can follow, and a clock that every thread can read.
//!
//! Tokio's paused time leaps to the next timer whenever nothing is left to do, but not while a
//! blocking task runs. The brake takes one virtual step at a time and then holds a blocking task
//! until the real time for that step is over. The controller knows nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use crate::controller::clock::Clock;

/// Real time between two steps.
const TICK: Duration = Duration::from_millis(50);

/// Seconds in an hour.
const HOUR_SECONDS: f64 = 3600.0;

/// How much virtual time passes in a real second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// The slowest one: real time.
    pub const LEAST: f64 = 1.0 / HOUR_SECONDS;
    /// The fastest one, in hours a second.
    pub const MOST: f64 = 1000.0;

    /// Makes a speed of so many virtual hours a real second.
    ///
    /// # Errors
    /// A sentence, where it is not between [`Speed::LEAST`] and [`Speed::MOST`].
    pub fn hours_a_second(hours: f64) -> Result<Self, String> {
        // Whoever writes 0.0002777 for real time means it.
        let least = Self::LEAST * 0.99;
        if (least..=Self::MOST).contains(&hours) {
            Ok(Self(hours))
        } else {
            let most = Self::MOST;
            Err(format!(
                "must be between {:.5} (real time) and {most} hours a second",
                Self::LEAST
            ))
        }
    }

    /// Returns how much virtual time passes in one tick.
    fn step(self) -> Duration {
        TICK.mul_f64(self.0 * HOUR_SECONDS)
    }
}

/// Holds virtual time to a speed, until it is dropped.
#[derive(Debug)]
pub struct Pace {
    brake: JoinHandle<()>,
    /// Its end ends the ticks, and with them what waits for one.
    _stop: mpsc::Sender<()>,
}

impl Pace {
    /// Starts to hold the time of this runtime, whose time must be paused, to a speed.
    ///
    /// # Errors
    /// The system's, where there is no thread to be had.
    pub fn keep(speed: Speed, clock: SharedClock) -> std::io::Result<Self> {
        let (stop, stopping) = mpsc::channel();
        // One tick is kept, so that a step that took long is caught up with.
        let (tick, ticks) = mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("pace".to_owned())
            .spawn(move || beat(&stopping, &tick))?;
        Ok(Self {
            brake: tokio::spawn(hold(speed.step(), clock, ticks)),
            _stop: stop,
        })
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.brake.abort();
    }
}

/// Sends ticks until told to stop.
fn beat(stopping: &Receiver<()>, tick: &SyncSender<()>) {
    while stopping.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        if let Err(TrySendError::Disconnected(())) = tick.try_send(()) {
            return;
        }
    }
}

/// Lets one step of virtual time pass with each tick.
async fn hold(step: Duration, clock: SharedClock, mut ticks: Receiver<()>) {
    loop {
        tokio::time::sleep(step).await;
        clock();
        // While this task waits, virtual time stands still.
        let wait = move || ticks.recv().map(|()| ticks);
        match tokio::task::spawn_blocking(wait).await {
            Ok(Ok(again)) => ticks = again,
            _ => return,
        }
    }
}

/// A clock as the simulators take it.
pub type SharedClock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Returns a virtual clock as a closure that any thread may call.
///
/// Only the thread that calls this function knows its runtime's virtual time. All others read
/// what that thread read last: never a later time than it, and with a [`Pace`] never more than a
/// step behind.
pub fn on_all_threads(clock: &Clock) -> SharedClock {
    let home = std::thread::current().id();
    let own = clock.as_fn();
    let last = AtomicI64::new(micros(own()));
    Arc::new(move || {
        if std::thread::current().id() == home {
            let now = own();
            last.store(micros(now), Ordering::Release);
            return now;
        }
        let last = last.load(Ordering::Acquire);
        DateTime::from_timestamp_micros(last).unwrap_or(DateTime::<Utc>::MAX_UTC)
    })
}

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;

    fn paused<T>(work: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(work)
    }

    /// Ticks that pass by real time while `work` is done.
    fn ticks_during(work: impl FnOnce()) -> usize {
        let (stop, stopping) = mpsc::channel();
        let (tick, ticks) = mpsc::sync_channel(1000);
        let beating = std::thread::spawn(move || beat(&stopping, &tick));
        work();
        drop(stop);
        beating.join().unwrap();
        ticks.iter().count()
    }

    #[test]
    fn virtual_time_is_held_to_its_speed() {
        let ten_ticks = TICK * 10;
        let took = ticks_during(|| {
            paused(async {
                let clock = Clock::starting_at(DateTime::UNIX_EPOCH);
                let speed = Speed::hours_a_second(2.0).unwrap();
                let _pace = Pace::keep(speed, on_all_threads(&clock)).unwrap();
                tokio::time::sleep(ten_ticks.mul_f64(2.0 * HOUR_SECONDS)).await;
            });
        });
        assert!((8..=40).contains(&took), "it took {took} ticks, not 10");
        let far = Duration::from_secs(1_000_000);
        let took = ticks_during(|| paused(async { tokio::time::sleep(far).await }));
        assert!(took < 8, "without a brake it leaps: {took} ticks");
    }

    #[test]
    fn another_thread_reads_what_the_first_one_read_last() {
        paused(async {
            let clock = on_all_threads(&Clock::starting_at(DateTime::UNIX_EPOCH));
            let elsewhere = || {
                let clock = Arc::clone(&clock);
                std::thread::spawn(move || clock()).join().unwrap()
            };
            tokio::time::sleep(Duration::from_secs(90)).await;
            assert_eq!(elsewhere(), DateTime::UNIX_EPOCH);
            assert_eq!(clock().timestamp(), 90);
            assert_eq!(elsewhere().timestamp(), 90);
        });
    }

    #[test]
    fn a_speed_has_bounds() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
            assert!(Speed::hours_a_second(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Speed::hours_a_second(1.0).unwrap().step().as_secs(), 180);
    }
}

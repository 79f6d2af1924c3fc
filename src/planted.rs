//! Planted bugs: what the simulation must find, one at a time, to show that it finds anything.
//!
//! Behind the feature `planted-bugs`, which nothing but its own tests switches on. Without it
//! [`is`] is a constant `false` and [`pick`] its second argument, so that the compiler removes
//! every hook: the domain has no state and no I/O, and what is shipped holds no bug. With it the
//! bug of the current thread is asked for; a rehearsal runs on one thread.
//!
//! A hook is an operand or an argument, never a statement of its own, so that the right way can be
//! read past it (`tests/it/tidy/planted.rs`). Must never be used for anything but a bug.

/// Makes the list of bugs: each with the checker that is expected to find it, and what is wrong.
macro_rules! bugs {
    ($($bug:ident $checker:literal $wrong:literal;)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $(#[doc = $wrong] $bug,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            /// Returns the name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => stringify!($bug),)+
                }
            }

            /// Returns what is wrong, in one sentence.
            pub const fn wrong(self) -> &'static str {
                match self {
                    $(Self::$bug => $wrong,)+
                }
            }

            /// Returns the name of the checker that is expected to find it.
            pub const fn checker(self) -> &'static str {
                match self {
                    $(Self::$bug => $checker,)+
                }
            }
        }
    };
}

bugs! {
    // The run protocol.
    DropIntent "intent" "The intent is not written before the command is sent.";
    SkipRenewal "intent" "The lease is not renewed between intent and command.";
    AnotherRequestId "intent" "The command carries another request id than its intent.";
    RetryOnTimeout "alone" "A command without an answer is sent again at once.";
    WakeAndSend "intent" "Nothing is asked again just before a command: a leader that wakes sends.";
    SkipQuiet "fence" "A new leader does not wait until the old one's commands have arrived.";
    ForgetEpochs "fence" "A new leader does not raise the epochs of the runs that it takes over.";
    SameEpoch "fence" "A new leader takes the lease without a higher epoch.";
    WriteBlind "fence" "A run's log is written over whatever stands, without compare-and-swap.";
    SkipFreshness "own-writes" "A pass plans from a view that is older than its last write.";
    SkipEvidence "evidence" "An intent found standing is taken for one that was never sent.";
    AmbiguousIsRefusal "evidence" "A lost answer is taken for a refusal.";
    EarlyHorizon "evidence" "No trace in the log counts at once, before it could be there.";
    RepostAfterGone "evidence" "An operation that Azure forgot is taken for one that never was.";
    ByClassification "pinned" "Installs name classifications instead of KBs.";
    RebootAlways "pinned" "A Finish reboots always, not only where a reboot is owed.";
    WrongIncarnation "pinned" "A machine created again under its old id is commanded.";
    UnaskedScript "pinned" "A script runs in a guest although the installation allows none.";
    FinishAHotpatch "no-reboot" "A hotpatch run sends the command that may reboot.";
    // Budgets and failure domains.
    ForgetIntents "budget" "Intents of the pass are not counted as unavailable.";
    ForgetHolds "budget" "Machines whose outcome is unknown count as available.";
    UnknownIsHealthy "budget" "Machines whose health is unknown count as healthy.";
    OneRunCounts "budget" "Machines that the first run commands count for nobody else.";
    OwnGroupOnly "budget" "A group counts only the machines of one fleet.";
    IgnoreGroups "budget" "Limits of groups are ignored.";
    PercentUp "budget" "A share of a stage rounds up.";
    WholeSet "budget" "An availability set or a cluster has no limit.";
    WidenedLimit "budget" "A limit that was widened since reaches a run that exists.";
    IgnoreZones "apart" "Zones are not kept apart.";
    IgnorePairs "apart" "Paired regions are not kept apart.";
    IgnoreSites "apart" "Sites are not kept apart.";
    // Windows.
    PastTheEnd "window" "The end of the window limits neither start nor duration.";
    IgnoreReserve "window" "The reserve before the end of the window is used up.";
    IgnoreExclusions "window" "Excluded days of the fleet are open.";
    FoldOpensTwice "window" "A window opens in both hours of an autumn night.";
    LocalIsUtc "window" "Local times are taken for UTC.";
    TodaysWindow "window" "A run follows the window as it is now, not as it was frozen.";
    // Stages and failures.
    SkipSoak "stages" "The next stage begins without the soak of the one before.";
    IgnoreHalt "stages" "A stage goes on although more machines failed than the policy bears.";
    RetryForEver "once" "A failed machine is tried again without end.";
    // Silence.
    IgnoreSuspend "quiet" "A suspended fleet goes on with the run that it has.";
    IgnorePause "quiet" "A request to pause is not obeyed.";
    IgnoreAbort "quiet" "A request to abort is not obeyed.";
    IgnoreObserve "quiet" "A fleet that is set to Observe goes on with the run that it has.";
    IgnoreDeletion "quiet" "A run that is being deleted goes on.";
    SkipLastWord "quiet" "What a late watch does not show is not read before a command.";
    // Namespaces, settings, secrets, audit.
    AnotherIdentity "border" "A namespace acts with the identity of another one.";
    ForeignSetting "owned" "A setting that somebody else's schedule needs is changed.";
    ForgetEarlier "owned" "The settings that stood before are not noted.";
    NoRestore "owned" "A machine that is let go of does not get its settings back.";
    TellToken "secret" "An error that is shown to people holds the token.";
    SkipAudit "audit" "A verdict leaves no line in the audit log.";
    // What cannot be read.
    UnknownIsFit "unknown" "A machine whose health is unknown is commanded as if it were healthy.";
    StrangeIsPlanned "quarantine" "A step that nobody knows is taken for one before any command.";
    OneHoldsAll "quarantine" "One entry that is not understood holds its whole run.";
    // Liveness.
    NeverWake "liveness" "The next pass is not due before something changes.";
    NeverConclude "liveness" "A run whose machines are all done does not end.";
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Tells whether a bug is planted: never, without the feature.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub const fn is(_: Bug) -> bool {
    false
}

/// Tells whether a bug is planted in this thread.
#[cfg(feature = "planted-bugs")]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Returns what is right, or what is wrong where the bug is planted.
#[inline(always)]
pub fn pick<T>(bug: Bug, right: T, wrong: T) -> T {
    if is(bug) { wrong } else { right }
}

/// Does some work with a bug planted in this thread, or with none; whatever was planted before
/// stands again afterwards, also after a panic. Without the feature nothing is planted.
#[cfg(feature = "planted-bugs")]
pub fn with<T>(bug: Option<Bug>, work: impl FnOnce() -> T) -> T {
    struct Back(Option<Bug>);
    impl Drop for Back {
        fn drop(&mut self) {
            PLANTED.set(self.0);
        }
    }
    let _back = Back(PLANTED.replace(bug));
    work()
}

/// Does some work; without the feature nothing is planted.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub fn with<T>(_: Option<Bug>, work: impl FnOnce() -> T) -> T {
    work()
}

/// Does some work that no bug may spoil: the judgement of the checkers, which share the calendar
/// with the operator.
#[inline(always)]
pub fn without<T>(work: impl FnOnce() -> T) -> T {
    with(None, work)
}

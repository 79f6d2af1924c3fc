//! Runs jobs on machines: takes them up, steps them, ends them. What an install does with its
//! patches is in `install.rs`; what a reboot does is in `power.rs`.

use chrono::TimeDelta;

use crate::effects::{Actor, What};
use crate::job::{Job, Phase, Work};
use crate::machine::{Machine, Power};
use crate::offer::offers;
use crate::patches::{Assessment, InstallStatus, PatchError};
use crate::shapes::results;
use crate::world::{Event, World};

impl World {
    /// Tells whether a job runs or waits on a machine.
    pub(crate) fn busy(&self, key: &str) -> bool {
        self.machines
            .get(key)
            .is_some_and(|machine| machine.job.is_some())
    }

    /// Gives a job to a machine; it starts at once if the machine is free and reachable.
    pub(crate) fn submit(&mut self, key: &str, operation: Option<String>, by: Actor, work: Work) {
        let minutes = match self.machines.get(key).and_then(Machine::arc) {
            Some(_) => self.options.timings.arc_queue_minutes,
            None => self.options.timings.vm_queue_minutes,
        };
        let expires = self.now + TimeDelta::minutes(minutes.into());
        let id = self.next_number();
        let job = Job {
            id,
            operation,
            by,
            work,
            phase: Phase::Waiting,
            expires,
        };
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        if machine.job.is_some() {
            machine.queue.push_back(job);
            return;
        }
        machine.job = Some(job);
        self.touch(key);
        self.take_up(key);
    }

    /// Starts the waiting job of a machine if the machine can take it up now.
    pub(crate) fn take_up(&mut self, key: &str) {
        let Some(machine) = self.machines.get(key) else {
            return;
        };
        let Some(job) = machine.job.clone() else {
            return;
        };
        if job.phase != Phase::Waiting {
            return;
        }
        if !machine.reachable() && !matches!(job.work, Work::Restart) {
            let event = Event::WaitExpires {
                machine: key.to_owned(),
                job: job.id,
            };
            self.schedule(job.expires, event);
            return;
        }
        if let Some(error) = agent_fault(machine) {
            self.end_job_failed(key, &job, error);
            return;
        }
        match &job.work {
            Work::Assess { activity } => self.start_assessment(key, &job, activity),
            Work::Install { activity, request } => {
                self.start_install(key, &job, activity, request);
            }
            Work::Restart => {
                self.set_phase(key, Phase::Rebooting);
                self.give_up_later(key, job.id);
                self.begin_reboot(key, job.reboot_cause());
            }
        }
    }

    fn start_assessment(&mut self, key: &str, job: &Job, activity: &str) {
        self.set_phase(key, Phase::Scanning);
        let now = self.now;
        if let Some(machine) = self.machines.get_mut(key) {
            machine.assessment = Some(Assessment {
                activity: activity.to_owned(),
                started: now,
                modified: now,
                status: InstallStatus::InProgress,
                reboot_pending: !machine.guest.pending.is_empty(),
                offered: Vec::new(),
                by_platform: job.by == Actor::Platform,
                error: None,
            });
        }
        let takes = self.draw(key, self.options.timings.assessment);
        self.schedule_step(key, job.id, takes);
    }

    pub(crate) fn set_phase(&mut self, key: &str, phase: Phase) {
        if let Some(job) = self
            .machines
            .get_mut(key)
            .and_then(|machine| machine.job.as_mut())
        {
            job.phase = phase;
        }
        self.touch(key);
    }

    pub(crate) fn schedule_step(&mut self, key: &str, job: u64, after: TimeDelta) {
        let event = Event::JobStep {
            machine: key.to_owned(),
            job,
        };
        self.schedule(self.now + after, event);
    }

    pub(crate) fn give_up_later(&mut self, key: &str, job: u64) {
        let minutes = self.options.timings.reboot_given_up_minutes;
        let event = Event::RebootExpires {
            machine: key.to_owned(),
            job,
        };
        self.schedule(self.now + TimeDelta::minutes(minutes.into()), event);
    }

    /// Gives the job of a machine if it is the one meant: events of ended jobs are stale.
    fn current(&self, key: &str, id: u64) -> Option<Job> {
        self.machines
            .get(key)?
            .job
            .clone()
            .filter(|job| job.id == id)
    }

    pub(crate) fn step_job(&mut self, key: &str, id: u64) {
        let Some(job) = self.current(key, id) else {
            return;
        };
        match (&job.work, job.phase) {
            (Work::Assess { activity }, Phase::Scanning) => {
                self.finish_assessment(key, &job, activity);
            }
            (Work::Install { request, .. }, Phase::Scanning) => {
                self.next_patch(key, &job, request, 0);
            }
            (Work::Install { activity, request }, Phase::Installing(index)) => {
                self.patch_done(key, &job, activity, index);
                self.next_patch(key, &job, request, index + 1);
            }
            _ => {}
        }
    }

    fn finish_assessment(&mut self, key: &str, job: &Job, activity: &str) {
        let by_platform = job.by == Actor::Platform;
        self.record_assessment(key, activity, by_platform);
        let body = self.machines.get(key).map(results::assessment);
        self.end_job(key, job, body, None);
    }

    /// Writes down what is on offer now as the last assessment.
    pub(crate) fn record_assessment(&mut self, key: &str, activity: &str, by_platform: bool) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let offered = offers(machine, &self.history, &self.options.assumptions, now);
        let started = match &machine.assessment {
            Some(old) if old.activity == activity => old.started,
            _ => now,
        };
        machine.assessment = Some(Assessment {
            activity: activity.to_owned(),
            started,
            modified: now,
            status: InstallStatus::Succeeded,
            reboot_pending: !machine.guest.pending.is_empty(),
            offered,
            by_platform,
            error: None,
        });
        self.touch(key);
    }

    /// Gives up a job that still waits to be taken up.
    pub(crate) fn expire_wait(&mut self, key: &str, id: u64) {
        let message = "The machine's agent did not take up the operation in time.";
        self.expire(
            key,
            id,
            Phase::Waiting,
            ("ExtensionOperationTimeout", message),
        );
    }

    /// Gives up a job whose guest is still down.
    pub(crate) fn expire_reboot(&mut self, key: &str, id: u64) {
        let message = "The machine did not come back from its reboot in time.";
        self.expire(key, id, Phase::Rebooting, ("RebootTimeout", message));
    }

    fn expire(&mut self, key: &str, id: u64, phase: Phase, (code, message): (&str, &str)) {
        let Some(job) = self.current(key, id).filter(|job| job.phase == phase) else {
            return;
        };
        let error = PatchError {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        self.end_job_failed(key, &job, error);
    }

    /// Ends a job with an error inside its result, as Azure shows what went wrong in a guest.
    pub(crate) fn end_job_failed(&mut self, key: &str, job: &Job, error: PatchError) {
        match &job.work {
            Work::Restart => self.end_job(key, job, None, Some(error)),
            Work::Assess { activity } => {
                self.fail_assessment(key, job, activity, error);
                let body = self.machines.get(key).map(results::assessment);
                self.end_job(key, job, body, None);
            }
            Work::Install { activity, .. } => self.fail_install(key, job, activity, error),
        }
    }

    fn fail_assessment(&mut self, key: &str, job: &Job, activity: &str, error: PatchError) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        machine.assessment = Some(Assessment {
            activity: activity.to_owned(),
            started: now,
            modified: now,
            status: InstallStatus::Failed,
            reboot_pending: !machine.guest.pending.is_empty(),
            offered: Vec::new(),
            by_platform: job.by == Actor::Platform,
            error: Some(error),
        });
    }

    /// Ends a job, closes its operation, and takes up the next one.
    pub(crate) fn end_job(
        &mut self,
        key: &str,
        job: &Job,
        body: Option<serde_json::Value>,
        error: Option<PatchError>,
    ) {
        if let Some(operation) = &job.operation {
            self.close_operation(operation, body, error);
        }
        if let Some(machine) = self.machines.get_mut(key) {
            machine.job = machine.queue.pop_front();
        }
        self.touch(key);
        self.take_up(key);
    }

    /// Breaks off the running work of a machine whose guest went away under it.
    pub(crate) fn break_off(&mut self, key: &str, why: &str) {
        let Some(job) = self
            .machines
            .get(key)
            .and_then(|machine| machine.job.clone())
        else {
            return;
        };
        if matches!(job.phase, Phase::Scanning | Phase::Installing(_)) {
            let error = PatchError {
                code: "OperationInterrupted".into(),
                message: why.into(),
            };
            self.end_job_failed(key, &job, error);
        }
    }

    /// Ends all jobs of a machine that is deleted.
    pub(crate) fn drop_jobs(&mut self, key: &str) {
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let jobs: Vec<Job> = machine
            .job
            .take()
            .into_iter()
            .chain(machine.queue.drain(..))
            .collect();
        for job in jobs {
            let error = PatchError {
                code: "ResourceNotFound".into(),
                message: "The machine was deleted.".into(),
            };
            if let Some(operation) = &job.operation {
                self.close_operation(operation, None, Some(error));
            }
        }
    }

    /// Says how an install ended, in the log of effects.
    pub(crate) fn note_install_end(&mut self, key: &str, job: &Job) {
        let Some(record) = self.machines.get(key).and_then(Machine::last_install) else {
            return;
        };
        let (activity, status, reboot) = (record.activity.clone(), record.status, record.reboot);
        let what = What::InstallEnded {
            activity,
            by: job.by.clone(),
            status,
            reboot,
        };
        self.effect(key, what);
    }
}

/// What keeps the patch extension from running on a machine that is up.
fn agent_fault(machine: &Machine) -> Option<PatchError> {
    let vm = machine.vm()?;
    let error = |code: &str, message: &str| {
        Some(PatchError {
            code: code.to_owned(),
            message: message.to_owned(),
        })
    };
    if !vm.provision_vm_agent || !vm.agent_ready {
        return error(
            "VMAgentStatusCommunicationError",
            "The VM agent is not ready.",
        );
    }
    if !vm.allow_extension_operations {
        return error(
            "ExtensionOperationsNotAllowed",
            "Extension operations are not allowed on this VM.",
        );
    }
    if !machine.guest.os.windows() && machine.guest.power == Power::Up {
        return error(
            "UnsupportedOperatingSystem",
            "The guest does not run Windows.",
        );
    }
    None
}

//! Gathers everything that is wrong with an object into one fault.

use crate::domain::snapshot::Fault;

/// Faults told in one message; the others are counted.
const TOLD_MAX: usize = 8;

/// What is wrong with an object, in the order in which it was found.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault that an edit of the object itself cures.
    pub(super) fn spec(&mut self, reason: &'static str, message: String) {
        self.0.push(Fault {
            reason,
            message,
            stalls: true,
        });
    }

    /// Adds a fault that may be cured elsewhere.
    pub(super) fn elsewhere(&mut self, reason: &'static str, message: String) {
        self.0.push(Fault {
            reason,
            message,
            stalls: false,
        });
    }

    /// Takes the value of a field, or notes what is wrong with it.
    pub(super) fn take<T>(&mut self, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(message) => {
                self.spec("InvalidSpec", message);
                None
            }
        }
    }

    /// Tells whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Joins all faults into one where there must be one.
    pub(super) fn expect(self, why: &str) -> Fault {
        self.joined().expect(why)
    }

    /// Joins all faults into one: those that only an edit of the object cures come first, and the
    /// first gives the reason.
    pub(super) fn joined(mut self) -> Option<Fault> {
        self.0.sort_by_key(|fault| !fault.stalls);
        let first = self.0.first()?.clone();
        let told: Vec<&str> = self
            .0
            .iter()
            .take(TOLD_MAX)
            .map(|own| own.message.as_str())
            .collect();
        let mut message = told.join("; ");
        if self.0.len() > TOLD_MAX {
            message.push_str(&format!("; and {} more", self.0.len() - TOLD_MAX));
        }
        Some(Fault { message, ..first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_an_edit_cures_comes_first_and_gives_the_reason() {
        let mut faults = Faults::default();
        faults.elsewhere("PolicyNotFound", "no policy".to_owned());
        faults.spec("InvalidSpec", "bad date".to_owned());
        let message = "bad date; no policy".to_owned();
        let expected = Fault {
            reason: "InvalidSpec",
            message,
            stalls: true,
        };
        assert_eq!(faults.joined(), Some(expected));
    }

    #[test]
    fn many_faults_are_counted_instead_of_told() {
        let mut faults = Faults::default();
        for n in 0..10 {
            faults.spec("InvalidSpec", n.to_string());
        }
        let told = faults.joined().map(|fault| fault.message);
        assert_eq!(told.as_deref(), Some("0; 1; 2; 3; 4; 5; 6; 7; and 2 more"));
    }

    #[test]
    fn no_faults_are_no_fault() {
        assert_eq!(Faults::default().joined(), None);
    }
}

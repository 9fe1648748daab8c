//! What has been sent to a Gateway, as all processes of this user know it, and as this one remembers it by itself.
//!
//! Neither ledger blocks the caller's thread for longer than it takes to read and write a page: a record that another process
//! holds is tried again a little later, and what may take longer is done on the timer's threads. A record that can't be had
//! leaves this process alone: then the limits are kept by this process alone, with what it remembers.

use ibkr_connect_core::Error;

use crate::error::unusable_state;

/// The same thing as it was sent by this process, and by all that are known of. What one of them forgets, the other
/// remembers: a request has to wait for both.
pub(crate) struct Both<'a, T> {
    pub(crate) own: &'a mut T,
    pub(crate) all: &'a mut T,
}

impl<T> Both<'_, T> {
    /// Changes both.
    pub(crate) fn each(&mut self, mut change: impl FnMut(&mut T)) {
        change(self.own);
        change(self.all);
    }
}

/// What this process remembers.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    /// What this process has sent.
    pub(crate) own: T,
    /// What all have sent, as far as it was read.
    pub(crate) all: T,
    company: Company,
}

/// Whether the limits are kept together with other processes.
#[derive(Debug, Default)]
enum Company {
    #[default]
    Together,
    /// Nobody was told yet.
    Alone(Box<Error>),
    AloneAndTold,
}

impl<T: Clone> Memory<T> {
    pub(crate) fn new(empty: T) -> Self {
        Self { own: empty.clone(), all: empty, company: Company::Together }
    }

    pub(crate) fn both(&mut self) -> Both<'_, T> {
        Both { own: &mut self.own, all: &mut self.all }
    }

    pub(crate) fn is_alone(&self) -> bool {
        !matches!(self.company, Company::Together)
    }

    /// Others can't be asked, or told.
    pub(crate) fn be_alone(&mut self, why: ibkr_connect_state::Error) {
        if !self.is_alone() {
            self.company = Company::Alone(Box::new(unusable_state(why)));
        }
    }

    /// Others can be asked and told again.
    pub(crate) fn be_together(&mut self) {
        self.company = Company::Together;
    }

    /// Why this process is alone; `Some` once.
    pub(crate) fn trouble(&mut self) -> Option<Error> {
        if !matches!(self.company, Company::Alone(_)) {
            return None;
        }
        match std::mem::replace(&mut self.company, Company::AloneAndTold) {
            Company::Alone(error) => Some(*error),
            Company::Together | Company::AloneAndTold => None,
        }
    }
}

//! The executions since the start.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::INVALID_REQUEST;
use super::execution::{Execution, State};
use super::failure::Failure;
use super::running::{Finished, QueryRequest};
use crate::protocol::ApiError;

/// How many finished executions are remembered; their results stay in S3.
const REMEMBERED: usize = 2_000;

/// All executions since the start.
#[derive(Debug, Default)]
pub(super) struct Executions {
    table: Mutex<Executed>,
}

#[derive(Debug, Default)]
struct Executed {
    by_id: HashMap<String, Execution>,
    /// Oldest first.
    order: VecDeque<String>,
    /// ClientRequestToken to execution.
    tokens: BTreeMap<String, String>,
}

/// What a ClientRequestToken stands for.
pub(super) enum Started {
    /// A new execution.
    Now(String),
    /// One that the same request started before.
    Before(String),
    /// One that another request started before.
    ByAnother,
}

impl Executions {
    fn lock(&self) -> MutexGuard<'_, Executed> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an execution, unless its token was used before.
    pub(super) fn start(
        &self,
        id: String,
        token: Option<String>,
        request: &QueryRequest,
        execution: impl FnOnce() -> Execution,
    ) -> Started {
        let mut executed = self.lock();
        if let Some(id) = token.as_ref().and_then(|token| executed.tokens.get(token)) {
            let same = executed.by_id.get(id).is_some_and(|execution| execution.request == *request);
            return if same { Started::Before(id.clone()) } else { Started::ByAnother };
        }
        // The task that runs it waits for the lock before it looks itself up.
        executed.insert(id.clone(), token, execution());
        Started::Now(id)
    }

    /// Looks at one execution.
    pub(super) fn with<T>(&self, id: &str, look: impl FnOnce(&Execution) -> T) -> Result<T, ApiError> {
        self.lock().by_id.get(id).map(look).ok_or_else(|| not_found(id))
    }

    /// The ids of a work group's, newest first.
    pub(super) fn ids_of(&self, work_group: &str) -> Vec<String> {
        let executed = self.lock();
        let of_group = |id: &&String| executed.by_id.get(*id).is_some_and(|execution| execution.request.work_group == work_group);
        executed.order.iter().rev().filter(of_group).cloned().collect()
    }

    /// The queue is behind it.
    pub(super) fn began(&self, id: &str) {
        if let Some(execution) = self.lock().by_id.get_mut(id).filter(|execution| execution.state == State::Queued) {
            execution.begin();
        }
    }

    /// Ended by itself. A cancelled execution stays cancelled.
    pub(super) fn ended(&self, id: &str, outcome: Result<Finished, Failure>) {
        if let Some(execution) = self.lock().by_id.get_mut(id).filter(|execution| !execution.state.is_final()) {
            execution.end(outcome);
        }
    }

    /// Cancels one that has not ended.
    pub(super) fn cancel(&self, id: &str) -> Result<(), ApiError> {
        self.lock().by_id.get_mut(id).map(Execution::cancel).ok_or_else(|| not_found(id))
    }

    /// Cancels everything that has not ended.
    pub(super) fn cancel_all(&self) {
        self.lock().by_id.values_mut().for_each(Execution::cancel);
    }
}

impl Executed {
    fn insert(&mut self, id: String, token: Option<String>, execution: Execution) {
        if let Some(token) = token {
            self.tokens.insert(token, id.clone());
        }
        self.by_id.insert(id.clone(), execution);
        self.order.push_back(id);
        while self.order.len() > REMEMBERED {
            let oldest = self.order.front().and_then(|id| self.by_id.get(id));
            if oldest.is_some_and(|execution| !execution.state.is_final()) {
                break;
            }
            if let Some(id) = self.order.pop_front() {
                self.by_id.remove(&id);
                self.tokens.retain(|_, named| *named != id);
            }
        }
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(INVALID_REQUEST, format!("QueryExecution {id} was not found"))
}

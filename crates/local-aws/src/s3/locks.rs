//! One lock per object key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Bucket and key.
pub(super) type ObjectName = (String, String);

type Locks = Mutex<HashMap<ObjectName, Arc<AsyncMutex<()>>>>;

/// The locks of the keys in use; a key that nobody holds or waits for takes no memory.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyLocks {
    locks: Arc<Locks>,
}

/// A key held. Dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct KeyGuard {
    locks: Arc<Locks>,
    name: ObjectName,
    guard: Option<OwnedMutexGuard<()>>,
}

impl KeyLocks {
    /// Waits for the key, in the order of the calls.
    pub(super) async fn lock(&self, bucket: &str, key: &str) -> KeyGuard {
        let name = (bucket.to_owned(), key.to_owned());
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(name.clone()).or_default())
        };
        // Made before the wait: a caller that gives up while waiting cleans up too.
        let mut held = KeyGuard { locks: Arc::clone(&self.locks), name, guard: None };
        held.guard = Some(lock.lock_owned().await);
        held
    }

    /// Waits for two keys. The order does not depend on which is source and which is target, so that two copies in
    /// opposite directions cannot wait for each other.
    pub(super) async fn lock_both(&self, one: &ObjectName, other: &ObjectName) -> (KeyGuard, Option<KeyGuard>) {
        if one == other {
            return (self.lock(&one.0, &one.1).await, None);
        }
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        let first = self.lock(&first.0, &first.1).await;
        let second = self.lock(&second.0, &second.1).await;
        (first, Some(second))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.guard = None;
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // A waiter cloned the Arc under this same map lock: a count of one means that there is none.
        if locks.get(&self.name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.name);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_key_and_nothing_left_behind() {
        let locks = KeyLocks::default();
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (locks, inside) = (locks.clone(), Arc::clone(&inside));
                tokio::spawn(async move {
                    let _guard = locks.lock("bucket", "key").await;
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(locks.len(), 0);
    }

    #[tokio::test]
    async fn another_key_does_not_wait() {
        let locks = KeyLocks::default();
        let _held = locks.lock("bucket", "a").await;
        let _other = locks.lock("bucket", "b").await;
        assert_eq!(locks.len(), 2);
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_leaves_nothing_behind() {
        let locks = KeyLocks::default();
        let held = locks.lock("bucket", "key").await;
        assert!(futures::poll!(Box::pin(locks.lock("bucket", "key"))).is_pending());
        drop(held);
        assert_eq!(locks.len(), 0);
    }
}

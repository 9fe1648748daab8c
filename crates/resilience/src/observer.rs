//! Somebody who may want to be told of something.

use std::fmt;
use std::sync::Arc;

/// Is told of each `T`, if there is somebody who wants that.
pub(crate) struct Observer<T>(Option<Arc<dyn Fn(T) + Send + Sync>>);

impl<T> Observer<T> {
    pub(crate) fn new(told: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> T) {
        if let Some(told) = &self.0 {
            told(what());
        }
    }
}

impl<T> Default for Observer<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Clone for Observer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Observer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}

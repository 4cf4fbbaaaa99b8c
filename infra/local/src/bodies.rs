//! Bodies of requests, read whole within bounds.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a body may take to arrive.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Reads bodies.
pub(crate) struct Bodies {
    longest: usize,
    pub(crate) time_limit: Duration,
    /// What all bodies together may still take, in bytes.
    pub(crate) memory: Semaphore,
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLong,
    TooSlow,
    /// The caller has gone.
    Incomplete,
    /// Other bodies take all the memory that there is for them.
    NoMemory,
}

impl Bodies {
    /// Bodies of at most `longest` bytes, and of as many bytes together as `at_once` of those have.
    pub(crate) fn new(longest: usize, at_once: usize) -> Self {
        Self { longest, time_limit: TIME_LIMIT, memory: Semaphore::new(longest * at_once) }
    }

    /// Reads a body, and reserves its memory for as long as the permit is kept.
    pub(crate) async fn read(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), BodyError> {
        tokio::time::timeout(self.time_limit, self.collect(body)).await.unwrap_or(Err(BodyError::TooSlow))
    }

    async fn collect(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), BodyError> {
        let mut body = Limited::new(body, self.longest);
        let (mut read, mut memory) = (Vec::new(), None::<SemaphorePermit<'_>>);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                if error.is::<LengthLimitError>() { BodyError::TooLong } else { BodyError::Incomplete }
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let length = u32::try_from(data.len()).map_err(|_| BodyError::TooLong)?;
            let more = self.memory.try_acquire_many(length).map_err(|_| BodyError::NoMemory)?;
            match &mut memory {
                Some(memory) => memory.merge(more),
                None => memory = Some(more),
            }
            read.extend_from_slice(&data);
        }
        Ok((read.into(), memory))
    }
}

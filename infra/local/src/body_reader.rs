//! Reads complete request bodies within limits of length, time and memory.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The time limit for receiving a body.
const TIME_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct BodyReader {
    max_length: usize,
    pub(crate) time_limit: Duration,
    /// The number of bytes still available for all bodies together.
    pub(crate) memory: Semaphore,
}

/// The reason why a body was rejected.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLong,
    TooSlow,
    /// The caller closed the connection before the end of the body.
    Incomplete,
    /// Other bodies occupy all of the available memory.
    NoMemory,
}

impl BodyReader {
    /// Limits each body to `max_length` bytes, and all bodies together to the memory of
    /// `max_concurrent` bodies of that length.
    pub(crate) fn new(max_length: usize, max_concurrent: usize) -> Self {
        Self { max_length, time_limit: TIME_LIMIT, memory: Semaphore::new(max_length * max_concurrent) }
    }

    /// Reads a body. Its memory stays reserved until the permit is dropped.
    pub(crate) async fn read(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), BodyError> {
        tokio::time::timeout(self.time_limit, self.collect(body)).await.unwrap_or(Err(BodyError::TooSlow))
    }

    async fn collect(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), BodyError> {
        let mut body = Limited::new(body, self.max_length);
        let (mut bytes, mut memory) = (Vec::new(), None::<SemaphorePermit<'_>>);
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
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.into(), memory))
    }
}

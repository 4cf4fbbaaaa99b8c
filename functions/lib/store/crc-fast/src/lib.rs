//! The checksums with which S3 guards what is put and got, under the names by which its SDK calls them.
//!
//! The SDK takes them from a crate that knows fifty, and no compiler sees that the tables of the others are never read: half a
//! megabyte of each function's zip, an eighth of what it may have.

use crc::{CRC_32_ISCSI, CRC_64_NVME, Crc};

static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
static CRC64_NVME: Crc<u64> = Crc::<u64>::new(&CRC_64_NVME);

/// The algorithms of S3's `x-amz-checksum-…`, by their names in the catalogue of parametrised CRCs
/// (<https://reveng.sourceforge.io/crc-catalogue/all.htm>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC32 (RFC 1952), `x-amz-checksum-crc32`: what the SDK adds unasked.
    Crc32IsoHdlc,
    /// CRC32C (RFC 3720), `x-amz-checksum-crc32c`.
    Crc32Iscsi,
    /// CRC64 of the NVM Express command set, `x-amz-checksum-crc64nvme`: what S3 itself computes where none is sent.
    Crc64Nvme,
}

/// A checksum of what it has been given so far.
#[derive(Clone)]
pub struct Digest(Sum);

#[derive(Clone)]
enum Sum {
    Crc32(crc32fast::Hasher),
    Crc32c(crc::Digest<'static, u32>),
    Crc64Nvme(crc::Digest<'static, u64>),
}

impl Digest {
    /// That of nothing.
    #[must_use]
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => Sum::Crc32(crc32fast::Hasher::new()),
            CrcAlgorithm::Crc32Iscsi => Sum::Crc32c(CRC32C.digest()),
            CrcAlgorithm::Crc64Nvme => Sum::Crc64Nvme(CRC64_NVME.digest()),
        })
    }

    /// Adds the bytes that come next.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            Sum::Crc32(sum) => sum.update(data),
            Sum::Crc32c(sum) => sum.update(data),
            Sum::Crc64Nvme(sum) => sum.update(data),
        }
    }

    /// The checksum; one of 32 bits is in the lower half.
    #[must_use]
    pub fn finalize(&self) -> u64 {
        match self.0.clone() {
            Sum::Crc32(sum) => sum.finalize().into(),
            Sum::Crc32c(sum) => sum.finalize().into(),
            Sum::Crc64Nvme(sum) => sum.finalize(),
        }
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue, each of the same nine digits, given in two pieces.
    #[test]
    fn the_catalogues_check_values() {
        let sum = |algorithm| {
            let mut digest = Digest::new(algorithm);
            digest.update(b"1234");
            digest.update(b"56789");
            digest.finalize()
        };
        assert_eq!(sum(CrcAlgorithm::Crc32IsoHdlc), 0xcbf4_3926);
        assert_eq!(sum(CrcAlgorithm::Crc32Iscsi), 0xe306_9283);
        assert_eq!(sum(CrcAlgorithm::Crc64Nvme), 0xae8b_1486_0a79_9888);
    }
}

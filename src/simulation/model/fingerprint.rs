//! Fingerprints of 128 bits, the same in every process.
//!
//! Two lanes of multiply-and-fold over the bytes of a value. If they spread like chance, the
//! probability that any two of `n` states share one is about `n² / 2^129`: for ten million states
//! 1.5e-25.

use std::hash::{BuildHasherDefault, Hash, Hasher};

const LANES: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
const FOLDS: [u64; 2] = [0xff51_afd7_ed55_8ccd, 0xa24b_aed4_963e_e407];

/// Hashes small numbers, eight bytes at a time.
pub(super) struct Mixer {
    lanes: [u64; 2],
    word: u64,
    bytes: u32,
}

/// Builds [`Mixer`]s for maps.
pub(super) type Mixed = BuildHasherDefault<Mixer>;

impl Default for Mixer {
    fn default() -> Self {
        Self {
            lanes: LANES,
            word: 0,
            bytes: 0,
        }
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

impl Mixer {
    fn flush(&mut self) {
        for (lane, by) in self.lanes.iter_mut().zip(FOLDS) {
            *lane = fold(*lane ^ self.word, by) ^ lane.rotate_left(23);
        }
        self.word = 0;
    }

    fn finish_wide(mut self) -> u128 {
        self.word ^= u64::from(self.bytes) << 56;
        self.flush();
        self.word = u64::from(self.bytes);
        self.flush();
        let [a, b] = self.lanes;
        (u128::from(fold(a, FOLDS[1] ^ b.rotate_left(32))) << 64)
            | u128::from(fold(b, FOLDS[0] ^ a))
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * (self.bytes % 8));
        self.bytes = self.bytes.wrapping_add(1);
        if self.bytes.is_multiple_of(8) {
            self.flush();
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u8(number as u8);
    }

    /// The variant of an enum; none here has more than 256.
    fn write_isize(&mut self, number: isize) {
        self.write_u8(number as u8);
    }

    fn finish(&self) -> u64 {
        let [a, b] = self.lanes;
        fold(a ^ self.word, FOLDS[0] ^ b.rotate_left(17))
    }
}

/// Returns a value's fingerprint.
pub(super) fn fingerprint(value: &impl Hash) -> u128 {
    let mut mixer = Mixer::default();
    value.hash(&mut mixer);
    mixer.finish_wide()
}

/// Passes on what is a fingerprint already.
#[derive(Default)]
pub(super) struct Already(u64);

impl Hasher for Already {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are put in");
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

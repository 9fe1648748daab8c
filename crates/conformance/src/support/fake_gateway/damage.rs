//! Bytes as an attacker, a broken cable or a newer Gateway may send them.

use rand::RngExt;
use rand::rngs::StdRng;

/// Lengths that lie, as a frame begins with one.
const LIES: [u32; 7] = [0, 1, 4, 0xffff, 0x00ff_ffff, 0x7fff_ffff, u32::MAX];

/// Damages `bytes` in one to three ways. None of them begins a new line.
pub(crate) fn damage(bytes: &mut Vec<u8>, dice: &mut StdRng) {
    for _ in 0..dice.random_range(1..=3) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.random_range(0..bytes.len());
        let until = dice.random_range(at..bytes.len().min(at + 40)) + 1;
        match dice.random_range(0..8) {
            0 => bytes[at] ^= 1 << dice.random_range(0..8),
            1 => bytes[at] = dice.random(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..until)),
            4 => {
                let twice = bytes[at..until].to_vec();
                bytes.splice(at..at, twice);
            }
            5 => {
                let noise: Vec<u8> = (0..dice.random_range(1..20)).map(|_| dice.random()).collect();
                bytes.splice(at..at, noise);
            }
            6 => bytes[at..until].fill([0, 0xff][dice.random_range(0..2)]),
            _ => {
                let lie = LIES[dice.random_range(0..LIES.len())].to_be_bytes();
                let end = bytes.len().min(4);
                bytes.splice(..end, lie);
            }
        }
    }
    bytes.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
}

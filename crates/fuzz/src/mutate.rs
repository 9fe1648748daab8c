//! Inputs that differ from known ones in the ways in which parsers are wrong: bits, cuts, splices, lengths, numbers at the edge of
//! their types, deep nesting, what is no UTF-8, fields and lines that come twice or in another order.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pieces that mean something to one parser or another.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b"#",
    b" ",
    b"-",
    b".",
    b"(",
    b")",
    b"null",
    b"true",
    b"NaN",
    b"{}",
    b"[]",
    b"\"\"",
    b"\\u0000",
    b"\\ud800",
    b"${X}",
    b"$",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"\x7f",
    "é".as_bytes(),
    "→".as_bytes(),
    "𝄞".as_bytes(),
    b"\x08\x96\x01",
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
];

/// Numbers as texts, at the edges of the types that they are read into.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "00",
    "+1",
    "127",
    "255",
    "256",
    "32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e309",
    "-1e309",
    "1e-400",
    "0.1",
    "0x10",
    "1.7976931348623157e308",
    "340282366920938463463374607431768211456",
];

/// Lengths and the like, as bytes.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    1_000,
    4_095,
    4_096,
    32_767,
    32_768,
    65_535,
    65_536,
    0x00FF_FFFF,
    0x0100_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    u64::MAX - 1,
    u64::MAX,
];

/// Makes one input after the other; the same ones for the same seed.
pub(crate) struct Mutator {
    random: ChaCha8Rng,
    longest: usize,
}

impl Mutator {
    pub(crate) fn new(seed: u64, longest: usize) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), longest }
    }

    /// One of `pool`, changed in one to eight ways.
    pub(crate) fn next(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = pool.choose(&mut self.random).cloned().unwrap_or_default();
        for _ in 0..1_u32 << self.random.random_range(0..4) {
            self.change(&mut input, pool);
        }
        input.truncate(self.longest);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        match self.random.random_range(0..16) {
            0 => self.flip(input),
            1 => self.set(input),
            2 | 3 => self.number_of_bytes(input),
            4 => drop(input.drain(self.range(input.len()))),
            5 => input.truncate(self.place(input.len())),
            6 => self.repeat(input),
            7 => self.splice(input, pool),
            8 => self.borrow(input, pool),
            9 | 10 => self.number_of_digits(input),
            11 | 12 => self.piece(input),
            13 => self.nest(input),
            14 => self.fields(input),
            _ => self.noise(input),
        }
    }

    /// A place between two bytes.
    fn place(&mut self, length: usize) -> usize {
        self.random.random_range(0..=length)
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.place(length);
        let most = if self.random.random_bool(0.8) { 16.min(length - start) } else { length - start };
        start..start + self.random.random_range(0..=most)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.random.random_range(0..all.len())]
    }

    fn insert(&mut self, input: &mut Vec<u8>, bytes: &[u8]) {
        let at = self.place(input.len());
        input.splice(at..at, bytes.iter().copied());
    }

    fn flip(&mut self, input: &mut [u8]) {
        let bit = 1 << self.random.random_range(0..8);
        if let Some(byte) = self.byte_of(input) {
            *byte ^= bit;
        }
    }

    fn set(&mut self, input: &mut [u8]) {
        let new = self.random.random();
        if let Some(byte) = self.byte_of(input) {
            *byte = new;
        }
    }

    fn byte_of<'a>(&mut self, input: &'a mut [u8]) -> Option<&'a mut u8> {
        let at = self.place(input.len().saturating_sub(1));
        input.get_mut(at)
    }

    /// A length or a number of one to eight bytes, in either order, becomes another one or a bit more or less.
    fn number_of_bytes(&mut self, input: &mut [u8]) {
        let width = 1 << self.random.random_range(0..4);
        let Some(last) = input.len().checked_sub(width) else { return };
        let at = self.place(last);
        let place = &mut input[at..at + width];
        let is_big_endian = self.random.random_bool(0.5);
        let mut number = [0; 8];
        number[8 - width..].copy_from_slice(place);
        if !is_big_endian {
            number[8 - width..].reverse();
        }
        let old = u64::from_be_bytes(number);
        let new = match self.random.random_range(0..3) {
            0 => self.one_of(EDGES),
            1 => old.wrapping_add(self.random.random_range(1..=16)),
            _ => old.wrapping_sub(self.random.random_range(1..=16)),
        };
        place.copy_from_slice(&new.to_be_bytes()[8 - width..]);
        if !is_big_endian {
            place.reverse();
        }
    }

    /// A number that is written in digits becomes another one.
    fn number_of_digits(&mut self, input: &mut Vec<u8>) {
        let start = self.place(input.len());
        let found = input[start..].iter().position(u8::is_ascii_digit).map(|offset| start + offset);
        let Some(at) = found.or_else(|| input.iter().position(u8::is_ascii_digit)) else { return };
        let digits = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let new = self.one_of(NUMBERS);
        input.splice(at..at + digits, new.bytes());
    }

    /// A range comes several times.
    fn repeat(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input.len());
        let (end, most) = (range.end, (self.longest / range.len().max(1)).clamp(1, 64));
        let times = if self.random.random_bool(0.8) { 1 } else { self.random.random_range(1..=most) };
        let copies = input[range].repeat(times);
        input.splice(end..end, copies);
    }

    /// The beginning of this one, the end of another.
    fn splice(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let Some(other) = pool.choose(&mut self.random) else { return };
        let from = self.place(other.len());
        input.truncate(self.place(input.len()));
        input.extend_from_slice(&other[from..]);
    }

    /// A piece of another one.
    fn borrow(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let Some(other) = pool.choose(&mut self.random) else { return };
        let range = self.range(other.len());
        self.insert(input, &other[range]);
    }

    fn piece(&mut self, input: &mut Vec<u8>) {
        let piece = self.one_of(PIECES);
        if self.random.random_bool(0.5) {
            return self.insert(input, piece);
        }
        let range = self.range(input.len());
        input.splice(range, piece.iter().copied());
    }

    /// Brackets, quotes or escapes within each other.
    fn nest(&mut self, input: &mut Vec<u8>) {
        let depth = self.one_of(&[2, 16, 130, 1_000, 4_000]).min(self.longest / 2);
        let opening: &[u8] =
            self.one_of(&[b"[" as &[u8], b"{\"a\":", b"(", b"\\", b"\"", b"[[", b"{", b"a.", b"\x0b"]);
        self.insert(input, &opening.repeat(depth / opening.len()));
    }

    /// A field, by whatever ends it, comes twice, goes, or changes places with the next.
    fn fields(&mut self, input: &mut Vec<u8>) {
        let end = self.one_of(b"\n\0, :;=");
        let mut fields: Vec<Vec<u8>> = input.split(|byte| *byte == end).map(<[u8]>::to_vec).collect();
        let at = self.place(fields.len() - 1);
        match self.random.random_range(0..3) {
            0 => fields.insert(at, fields[at].clone()),
            1 => drop(fields.remove(at)),
            _ => {
                let other = self.place(fields.len() - 1);
                fields.swap(at, other);
            }
        }
        *input = fields.join(&end);
    }

    fn noise(&mut self, input: &mut Vec<u8>) {
        let length = self.random.random_range(1..=8);
        let noise: Vec<u8> = (0..length).map(|_| self.random.random()).collect();
        self.insert(input, &noise);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(seed: u64, pool: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut mutator = Mutator::new(seed, 100);
        (0..5_000).map(|_| mutator.next(pool)).collect()
    }

    #[test]
    fn a_seed_makes_the_same_inputs_and_none_is_too_long() {
        let pool = [b"{\"id\":12,\"text\":\"abc\"}\n".to_vec(), Vec::new(), vec![7; 100]];
        let made = inputs(1, &pool);
        assert_eq!(made, inputs(1, &pool));
        assert_ne!(made, inputs(2, &pool));
        assert!(made.iter().all(|input| input.len() <= 100));
    }

    #[test]
    fn every_kind_of_change_happens() {
        let made = inputs(3, &[b"id=12,text=abc".to_vec()]);
        let has = |piece: &[u8]| made.iter().any(|input| input.windows(piece.len()).any(|w| w == piece));
        for piece in [
            b"id=65536,text=abc" as &[u8],
            b"\xff",
            b"[[[[[[[[",
            b"id=12,id=12",
            b"text=abc,id=12",
            b"\xff\xff\xff\xff",
        ] {
            assert!(has(piece), "{piece:?}");
        }
        assert!(made.iter().any(|input| b"id=12,text=abc".starts_with(input) && input.len() > 2), "cut");
    }

    #[test]
    fn of_nothing_comes_something() {
        assert!(inputs(4, &[]).iter().any(|input| !input.is_empty()));
    }
}

//! A run without an engine.

use std::{env, fs, io, path::Path};

/// Inputs of a run, unless the first argument is another number.
const RUNS: usize = 500;
/// As in a run with the engine.
const MAX_BYTES: usize = 2048;

/// Feeds the corpus of `target` and changed copies of it to `check`, which panics when it finds something. The seeds are
/// fixed, so a run can be repeated.
///
/// # Errors
/// When the corpus cannot be read or has no file.
pub fn replay(target: &str, check: impl Fn(&[u8])) -> io::Result<()> {
    let runs = env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(fs::read).collect::<io::Result<_>>()?;
    if corpus.is_empty() {
        return Err(io::Error::other(format!("{} has no file; add an input to begin with", directory.display())));
    }
    corpus.iter().for_each(|input| check(input));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for number in 0..runs {
        let input = random.change(&corpus);
        // Shown when the check panics, to make a file of the corpus from it.
        let shown = Shown { number, input: &input };
        check(&input);
        std::mem::forget(shown);
    }
    println!("{target}: {} files and {runs} changed copies", corpus.len());
    Ok(())
}

/// Prints its input when it is dropped, which only a panic does.
struct Shown<'a> {
    number: usize,
    input: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        eprintln!("input {}: {}", self.number, self.input.escape_ascii());
    }
}

/// Xorshift (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// Returns a copy of a file with up to eight changes, and one time in four only random bytes.
    fn change(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if self.below(4) == 0 {
            return (0..self.below(MAX_BYTES)).map(|_| self.below(256) as u8).collect();
        }
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            let at = self.below(input.len() + 1);
            match self.below(5) {
                0 => input.insert(at, self.below(256) as u8),
                1 => input.truncate(at),
                2 => {
                    let other = &corpus[self.below(corpus.len())];
                    input.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
                kind if at < input.len() => {
                    input[at] = if kind == 3 { self.below(256) as u8 } else { input[at] ^ 1 << self.below(8) };
                }
                _ => {}
            }
            input.truncate(MAX_BYTES);
        }
        input
    }
}

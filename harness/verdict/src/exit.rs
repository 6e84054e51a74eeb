//! The exit codes of `samklang`, published constants.
//!
//! If several apply, [`worst`] decides: 70 before 64 before 1 before 3 before 2 before 0.

/// Everything was as expected.
pub const AS_EXPECTED: u8 = 0;
/// A check failed, and no deviation covers it.
pub const UNEXPECTED_FAIL: u8 = 1;
/// Something could not be judged, so nothing is proven.
pub const NOT_PROVEN: u8 = 2;
/// A recorded deviation is stale, expired, or its reason changed.
pub const DEVIATION: u8 = 3;
/// Usage or configuration, or nothing was selected.
pub const USAGE: u8 = 64;
/// Samklang itself or the container engine failed.
pub const HARNESS_ERROR: u8 = 70;

/// The gravest of several codes.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 6] = [AS_EXPECTED, NOT_PROVEN, DEVIATION, UNEXPECTED_FAIL, USAGE, HARNESS_ERROR];
    let rank = |code: u8| ORDER.iter().position(|&known| known == code).unwrap_or(ORDER.len());
    codes.into_iter().max_by_key(|&code| rank(code)).unwrap_or(AS_EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graver_code_wins() {
        assert_eq!(worst([0, 2, 3]), 3);
        assert_eq!(worst([3, 1, 2]), 1);
        assert_eq!(worst([1, 64]), 64);
        assert_eq!(worst([64, 70, 1]), 70);
        assert_eq!(worst([]), 0);
    }
}

//! What makes the users, rooms and aliases of one play unlike those of every other play on the same stage.

/// In which round of a schedule a trial is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Round {
    /// For the first time.
    First,
    /// Once more, alone, because a check of it failed.
    FirstRepeat,
    /// Once more again.
    SecondRepeat,
    /// After all others, because a server is upgraded in it.
    Upgrade,
}

impl Round {
    /// The rounds in which a trial with a fail is played again.
    pub(super) const REPEATS: [Self; 2] = [Self::FirstRepeat, Self::SecondRepeat];

    /// The first character of the nonces of this round.
    fn letter(self) -> char {
        match self {
            Self::First => 'x',
            Self::FirstRepeat => 'r',
            Self::SecondRepeat => 's',
            Self::Upgrade => 'u',
        }
    }
}

/// One play on a stage: the round, and the trial's place in it. No other play on the same stage has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlaySlot {
    /// The round.
    pub round: Round,
    /// The trial's place in the round, from 0.
    pub place: usize,
}

impl PlaySlot {
    /// The place of a trial that is played for the first time.
    pub fn first(place: usize) -> Self {
        Self { round: Round::First, place }
    }

    /// Lower-case letters and digits, different for each slot, and different from run to run. The round is the first
    /// character and the place all the others, so that two slots cannot have the same nonce.
    pub(super) fn nonce(self, seed: u64) -> String {
        const SEEDS: u64 = 46_656;
        // The place alone tells two nonces of one round apart, since a stage has one seed.
        let number = u128::from(seed % SEEDS) * 10_000_000 + self.place as u128;
        format!("{}{}", self.round.letter(), in_base_36(number))
    }
}

fn in_base_36(mut number: u128) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit((number % 36) as u32, 36));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_slots_of_a_stage_have_the_same_nonce() {
        let rounds = [Round::First, Round::FirstRepeat, Round::SecondRepeat, Round::Upgrade];
        let places = || (0..5_000).chain([100_000, 1_000_000, 10_000_000, usize::MAX]);
        let slots = rounds.into_iter().flat_map(|round| places().map(move |place| PlaySlot { round, place }));
        let nonces: Vec<_> = slots.map(|slot| slot.nonce(7)).collect();
        assert_eq!(nonces.iter().collect::<BTreeSet<_>>().len(), nonces.len());
        assert_ne!(PlaySlot::first(1).nonce(7), PlaySlot::first(1).nonce(8));
        let is_plain = |nonce: &String| nonce.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!(nonces.iter().all(is_plain), "{nonces:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_nonces() {
        assert_eq!(PlaySlot::first(0).nonce(0), "x0");
        assert_eq!(PlaySlot::first(35).nonce(0), "xz");
        assert_eq!(PlaySlot::first(1).nonce(1), format!("x{}", in_base_36(10_000_001)));
        assert_eq!(PlaySlot::first(1).nonce(46_657), PlaySlot::first(1).nonce(1));
    }
}

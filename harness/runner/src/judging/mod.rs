//! How checks are judged: what is declared, what a verdict is made of, who is to blame.

pub mod blame;
pub mod declaration;
pub mod difference;
pub mod expectation;
pub mod ledger;
pub mod normalise;
pub mod rule;

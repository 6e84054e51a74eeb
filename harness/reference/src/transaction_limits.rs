//! The limits of transactions (server-server API, transactions).

/// The most PDUs of a transaction.
pub(crate) const MOST_PDUS: usize = 50;
/// The most EDUs of a transaction.
pub(crate) const MOST_EDUS: usize = 100;

//! Finds out about names that other servers hold.

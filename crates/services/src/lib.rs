//! (being laid)
pub mod names;

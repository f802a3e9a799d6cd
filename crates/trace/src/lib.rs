#![no_std]
//! (being laid)
extern crate alloc;

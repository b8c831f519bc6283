//! `smidgen forget`: takes a class away that the board was taught; see `teach.rs`.

pub use super::teach::{ForgetArgs, forget as run};

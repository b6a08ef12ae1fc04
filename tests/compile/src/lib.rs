//! What the macros and the unit of work accept, and what the compiler says about the rest: `tests/ui.rs`. A package of its own, because every
//! mistake is compiled with all that its package depends on.

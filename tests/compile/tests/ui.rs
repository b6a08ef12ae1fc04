//! What the macros and the unit of work accept, and what the compiler says about the rest.
//!
//! One file and one `.stderr` per mistake. After a change of wording, `TRYBUILD=overwrite cargo test -p events-compile-tests` writes
//! them anew; read what it wrote.

#[test]
fn every_mistake_is_told_once_where_it_is_with_its_cure() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/*/pass/*.rs");
    cases.compile_fail("tests/ui/*/fail/*.rs");
}

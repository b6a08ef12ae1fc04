//! Binds lists of cases to what they are tried on.

/// One `#[tokio::test]` per case of a list by modules of `$cases`, tried on a `$harness`.
#[macro_export]
macro_rules! bind_cases {
    ($cases:ident on $harness:ty; $($module:ident { $($case:ident,)+ })+) => {
        $(mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store_cases::bounded($crate::$cases::$module::$case::<$harness>()).await;
            })+
        })+
    };
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Whether each case of the files in `folder` stands once in the `list`.
    fn check(list: &str, folder: &str, harness: &str, at_least: usize) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        let mut cases = 0;
        for file in fs::read_dir(folder).unwrap() {
            let source = fs::read_to_string(file.unwrap().path()).unwrap();
            for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let Some((case, _)) = line.split_once(harness) else { continue };
                cases += 1;
                let times = list.lines().filter(|line| line.trim() == format!("{case},")).count();
                assert_eq!(times, 1, "`{case}` must stand once in its list");
            }
        }
        assert!(cases >= at_least, "only {cases} cases were found");
    }

    #[test]
    fn every_case_of_the_stores_is_bound_and_only_once() {
        check(include_str!("conformance.rs"), "store_cases", "<H: Harness>", 100);
    }

    #[test]
    fn every_case_of_the_brokers_is_bound_and_only_once() {
        check(include_str!("broker_conformance.rs"), "broker_cases", "<B: BrokerHarness>", 21);
    }
}

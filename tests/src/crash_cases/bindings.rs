//! Binds the cases to a database.

/// What a database without a server has to stand, against a [`Site`](crate::shop::Site).
#[macro_export]
macro_rules! crash_matrix {
    ($site:ty) => {
        $crate::crash_matrix! { @bind $site;
            processes_killed_at_random_moments_lose_and_invent_nothing(env!("CARGO_BIN_EXE_shopkeeper")),
        }
    };
    (@bind $site:ty; $($case:ident($($argument:expr)?),)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::crash_cases::$case::<$site>($($argument)?).await;
        })+
    };
}

/// What a database with a server has to stand, against a [`ServerSite`](crate::shop::ServerSite).
#[macro_export]
macro_rules! server_crash_matrix {
    ($site:ty) => {
        $crate::crash_matrix!($site);
        $crate::crash_matrix! { @bind $site;
            a_server_that_crashes_loses_and_invents_nothing(env!("CARGO_BIN_EXE_shopkeeper")),
            connections_cut_ten_times_a_second_lose_and_invent_nothing(),
            a_commit_without_an_answer_is_unknown_and_the_scanner_delivers_what_was_committed(),
            handlers_whose_commit_has_no_answer_have_their_effect_once(),
            under_load_lost_commits_and_answers_lose_and_invent_nothing(),
            eight_relays_deliver_each_event_once_and_in_order(env!("CARGO_BIN_EXE_shopkeeper")),
            writers_with_overlapping_keys_and_handlers_that_publish_never_deadlock(),
        }
    };
}

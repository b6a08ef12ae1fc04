//! Binds the cases to a store.

/// One `#[tokio::test]` per case of [`store_cases`](crate::store_cases), against the database of a [`Harness`](crate::Harness).
#[macro_export]
macro_rules! store_conformance {
    ($harness:ty) => {
        $crate::bind_cases! { store_cases on $harness;
            commits {
                rows_and_events_are_there_if_and_only_if_their_transaction_committed,
                a_panic_rolls_back_rows_and_events,
                a_cancelled_unit_of_work_leaves_nothing,
                a_dropped_unit_of_work_leaves_nothing,
                nothing_is_written_before_commit_and_then_all_at_once,
                a_unit_of_work_begun_by_hand_commits_its_events,
                an_enlisted_transaction_commits_its_events,
                a_unit_of_work_cancelled_at_any_moment_is_there_as_a_whole_or_not_at_all,
            }
            hand_over {
                one_event_is_one_row_per_target,
                a_failing_handler_never_runs_its_sibling_again,
                a_target_that_is_stuck_does_not_hold_up_its_sibling,
                rows_are_inserted_leased_to_the_publisher,
                a_committed_event_is_delivered_from_memory_without_any_scanner,
                idle_workers_take_the_next_deliveries,
                nothing_of_a_rolled_back_unit_of_work_is_handed_over,
                what_finds_no_room_in_memory_is_inserted_unleased_and_delivered_all_the_same,
                payloads_in_memory_have_a_budget,
                what_has_a_delay_is_not_handed_over,
                a_backlog_is_drained_without_waiting_for_the_next_poll,
            }
            leases {
                a_leased_delivery_is_not_leased_again_before_its_lease_has_run_out,
                a_stale_settlement_changes_nothing_and_is_reported_lost,
                the_rest_of_a_batch_with_lost_leases_is_settled,
                a_lost_lease_is_counted_and_is_no_error,
                a_scanner_s_claim_fences_the_earlier_one_of_another_scanner,
                eight_claimers_never_get_the_same_delivery,
                the_heartbeat_keeps_the_lease_of_a_slow_delivery,
                renewing_extends_the_leases_that_hold_and_tells_the_lost_ones,
                what_a_dead_process_held_is_delivered_by_another_when_its_lease_has_run_out,
                a_delivery_that_is_abandoned_too_often_goes_to_the_dead_letters,
                an_attempt_that_came_to_an_end_forgets_the_leases_that_ran_out_before_it,
                a_delivery_whose_lease_ran_out_while_it_waited_is_not_begun,
            }
            times {
                leases_delays_retries_and_deaths_follow_the_clock_of_the_database,
                renewals_and_hand_backs_follow_the_clock_of_the_database,
                without_a_clock_of_its_own_a_process_takes_the_database_s,
            }
            order {
                with_many_writers_keys_failures_and_processes_every_key_keeps_commit_order,
                several_events_of_one_key_in_one_unit_of_work_keep_their_order,
                a_handler_that_is_behind_does_not_hold_up_another_target_of_the_key,
                a_key_given_at_publication_replaces_that_of_the_type,
                a_delayed_head_holds_back_what_follows,
                a_handler_that_was_renamed_keeps_the_order_of_what_waits_under_its_old_name,
                a_handler_that_was_renamed_does_not_get_what_is_under_way_under_its_old_name,
                a_dead_letter_goes_on_blocking_its_key_when_its_handler_was_renamed,
            }
            key_heads {
                only_the_head_of_a_key_can_be_leased,
                an_event_behind_its_key_is_not_handed_over_from_memory,
                keys_that_look_alike_are_different_keys,
                a_poisoned_head_blocks_only_its_key_until_it_is_dead,
                a_redriven_letter_goes_before_the_ones_that_wait,
                a_redriven_letter_goes_before_others_of_its_unit_of_work,
                a_key_is_forgotten_when_it_was_idle_for_long_and_a_redriven_letter_still_goes_first,
                a_dead_letter_that_blocks_its_key_holds_back_what_is_behind_it_until_it_is_redriven,
                what_a_dead_letter_blocked_goes_on_when_it_is_discarded,
                a_letter_that_is_redriven_before_one_that_blocks_does_not_free_what_is_behind_it,
                what_waits_behind_a_row_that_somebody_deleted_is_freed_by_maintenance,
            }
            isolation {
                no_transaction_is_open_while_a_handler_runs,
                no_transaction_is_open_while_a_transport_sends,
                a_handler_with_a_unit_of_work_has_its_transaction_open,
            }
            bad_rows {
                a_payload_that_does_not_fit_goes_to_the_dead_letters_and_the_batch_goes_on,
                a_row_that_cannot_be_read_goes_to_the_dead_letters_and_the_batch_goes_on,
                deliveries_for_targets_that_nobody_has_here_stay_and_are_counted,
                a_renamed_handler_delivers_what_waits_under_its_old_name,
                an_event_newer_than_its_handler_is_handed_back_without_an_attempt,
            }
            outages {
                an_outage_pauses_its_target_burns_no_attempts_and_loses_nothing,
                a_handler_can_be_away_too,
            }
            retries {
                a_retry_is_due_after_its_delay_and_not_before,
                exhausted_attempts_leave_a_dead_letter_with_its_whole_history,
                an_error_may_say_anything,
                a_terminal_error_is_not_retried,
                a_handler_may_say_when_it_wants_to_be_called_again,
                a_handler_that_exceeds_its_timeout_has_failed_an_attempt,
                a_panic_is_a_failed_attempt,
                dead_letters_are_listed_redriven_and_discarded_by_filter,
            }
            two_phase {
                what_commits_is_shown_and_what_rolls_back_is_forgotten,
                what_cannot_be_prepared_is_not_committed,
                a_broker_that_was_not_told_asks_and_any_process_answers,
                a_transaction_without_a_trace_is_given_up_a_lifetime_after_the_first_question,
                a_transaction_that_is_asked_about_before_it_commits_commits,
                a_transaction_that_was_given_up_cannot_commit,
                a_transaction_that_takes_longer_than_its_lifetime_is_rolled_back,
                a_question_does_not_wait_for_who_is_about_to_commit,
                a_shutdown_waits_until_the_broker_is_told,
            }
            at_most_once {
                a_call_that_succeeds_leaves_nothing_behind,
                a_call_that_fails_is_a_dead_letter_and_is_repeated_only_by_hand,
                a_call_whose_process_is_gone_is_not_repeated,
                what_was_not_called_yet_is_called_by_another_process,
                a_handler_that_says_that_nothing_happened_is_called_again,
                a_line_waits_behind_an_interrupted_call_if_it_waits_behind_dead_letters,
            }
            savepoints {
                a_rolled_back_savepoint_undoes_exactly_its_events_and_its_writes,
                savepoints_nest,
                an_abandoned_savepoint_poisons_its_unit_of_work,
                an_abandoned_savepoint_poisons_a_unit_of_work_without_events_too,
                an_abandoned_savepoint_poisons_the_one_around_it,
                a_unit_of_work_inside_another_is_refused_with_the_cure,
                an_independent_unit_of_work_commits_on_its_own,
                an_independent_unit_of_work_in_the_same_database_needs_a_second_writer,
            }
            outside {
                publishing_outside_a_unit_of_work_is_an_error_that_names_the_cure,
                outside_an_event_may_have_a_transaction_of_its_own,
                outside_an_event_may_be_sent_without_being_stored,
                a_payload_over_the_limit_is_refused_at_publish,
                a_key_over_the_limit_is_refused_at_publish,
            }
            inbox {
                a_received_event_has_its_effect_once_however_often_it_comes,
                an_error_of_a_subscriber_undoes_everything_and_the_event_comes_again,
                what_no_repetition_can_mend_is_buried,
                what_nobody_of_the_group_takes_is_acknowledged,
                of_many_at_once_with_one_id_one_has_an_effect,
                events_of_a_key_are_handled_one_after_the_other,
                shutdown_finishes_what_is_under_way_and_receives_no_more,
                the_inbox_forgets_what_is_old,
                of_two_events_with_the_same_business_key_one_has_an_effect,
            }
            status {
                the_status_of_an_event_follows_it_to_its_end,
                the_status_of_a_key_tells_of_its_events_in_their_order,
                an_event_is_taken_back_before_it_is_due_and_not_afterwards,
                what_a_rolled_back_unit_of_work_cancelled_is_delivered,
                what_waits_behind_a_cancelled_event_of_its_key_goes_on,
                an_event_for_a_moment_is_due_then,
            }
            upcasts {
                what_an_older_release_left_in_the_outbox_is_read_as_the_new_version,
                every_version_that_this_process_publishes_reaches_the_handler_of_the_newest,
                a_dead_letter_of_an_older_release_is_redriven_to_the_new_version,
                what_a_broker_kept_from_an_older_release_is_read_as_the_new_version,
            }
            transactional {
                effect_events_and_settlement_are_one_transaction,
                an_error_undoes_the_effect_and_the_events_and_is_retried,
                a_terminal_error_leaves_no_effect_and_one_dead_letter,
                a_lease_that_was_lost_meanwhile_undoes_the_effect,
                a_handler_that_is_too_slow_leaves_no_effect,
            }
            settings {
                a_unit_of_work_that_takes_too_long_is_rolled_back,
                units_of_work_that_collide_are_repeated_and_lose_nothing,
                what_is_no_collision_is_not_repeated,
            }
            endings {
                a_shutdown_lets_deliveries_finish,
                at_the_deadline_a_shutdown_hands_back_its_leases_so_that_others_get_them_at_once,
                after_a_shutdown_units_of_work_go_on_and_others_deliver,
                two_processes_may_start_at_once_on_a_fresh_database,
                by_default_delivered_deliveries_are_deleted,
                an_archive_keeps_delivered_deliveries_for_so_long,
                purging_goes_on_until_nothing_is_left_to_purge,
                migrations_that_were_printed_and_applied_by_hand_do,
            }
            console {
                a_console_counts_what_waits_by_target_and_state,
                a_console_pages_through_everything_exactly_once,
                a_console_tells_the_whole_story_of_an_event,
                what_people_do_to_dead_letters_is_written_into_the_audit,
                what_passes_a_dead_letter_goes_on_and_the_letter_stays,
                processes_say_how_they_are_doing_until_they_are_shut_down,
                the_doctor_finds_what_is_wrong,
            }
            leads {
                a_lead_is_held_until_it_runs_out_and_is_renewed_and_resigned_by_its_token_alone,
                of_many_that_want_to_lead_at_once_exactly_one_does,
                without_a_clock_of_its_own_a_lead_runs_out_by_the_database_s,
                of_exclusive_scanners_one_scans_and_another_takes_over_as_soon_as_it_is_shut_down,
                an_exclusive_scanner_takes_over_from_a_dead_one_within_lease_and_poll,
                who_stands_by_delivers_what_it_hands_over_from_memory,
                only_the_leader_maintains_until_another_takes_over,
            }
            publish_only {
                a_process_that_only_publishes_leaves_its_deliveries_to_others,
                a_process_that_only_publishes_says_so_in_its_limits_too,
            }
            sensitive {
                sensitive_fields_are_named_beside_their_event_and_masked_for_people,
                the_error_of_a_payload_that_does_not_fit_does_not_quote_it,
            }
            encryption {
                payloads_are_encrypted_in_every_table_and_handled_in_clear,
                after_a_restart_and_a_rotation_everything_is_read,
                a_payload_whose_key_is_missing_waits_for_it_without_an_attempt,
                a_payload_that_was_put_into_another_row_goes_to_the_dead_letters,
                every_way_into_the_outbox_encrypts,
            }
        }
    };
}

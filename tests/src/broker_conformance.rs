//! Binds the cases to a broker.

/// One `#[tokio::test]` per case of [`broker_cases`](crate::broker_cases), against the broker of a [`BrokerHarness`](crate::BrokerHarness).
#[macro_export]
macro_rules! broker_conformance {
    ($harness:ty) => {
        $crate::bind_cases! { broker_cases on $harness;
            sending {
                an_event_arrives_byte_for_byte,
                ten_thousand_events_of_one_batch_arrive,
                events_of_a_key_arrive_in_the_order_in_which_they_were_sent,
                what_is_sent_twice_is_stored_once_where_the_broker_promises_it,
                an_event_that_is_too_large_is_terminal_and_the_rest_of_its_batch_is_sent,
                an_event_that_nothing_would_store_is_terminal_if_we_may_make_nothing,
                who_is_refused_is_told_so_without_the_password,
            }
            receiving {
                a_refused_event_comes_again_after_its_delay,
                a_dropped_event_is_a_refused_one,
                what_a_dead_subscriber_had_comes_again_to_another,
                what_a_stopped_subscriber_had_not_handed_out_goes_to_another_at_once,
                an_event_that_is_refused_too_often_becomes_a_dead_letter,
                an_event_that_is_buried_becomes_a_dead_letter_at_once,
                what_is_no_event_becomes_a_dead_letter_and_holds_up_nobody,
                waiting_for_an_event_can_be_cancelled,
            }
            outages {
                a_broker_that_is_down_is_unavailable_and_is_found_again_by_the_same_transport,
                a_broker_that_dies_amid_a_batch_loses_nothing_that_it_confirmed,
                a_subscription_goes_on_after_its_broker_was_restarted,
                a_broker_that_hangs_is_unavailable_and_goes_on_afterwards,
            }
            relaying {
                events_of_an_outbox_arrive_although_the_broker_is_killed_amid_them,
                a_broker_that_hangs_holds_up_no_other_target_and_fills_no_memory,
            }
        }
    };
}

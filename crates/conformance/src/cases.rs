//! The cases, each a function that knows no backend, in groups of what they are about.

mod accounts;
mod alive;
mod arrivals;
mod contracts;
mod data;
mod endings;
mod gateway;
mod late;
mod loss;
mod market;
mod news;
mod openings;
mod orders;
mod played;
mod reroutes;
mod sessions;
mod silence;

use ibkr_connect_core::{Connector, Target};
use ibkr_connect_sim::{SimOptions, Simulator};

use crate::Backend;
use crate::support::run;

/// A case of the contract.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) check: Check,
}

/// What a case needs.
pub(crate) enum Check {
    /// Any connector, and what it is to connect to.
    Any(fn(&dyn Connector, &Target)),
    /// A backend that reaches the Gateway that the case starts: it watches or breaks the Gateway's side.
    Gateway(fn(&dyn Backend)),
}

macro_rules! cases {
    (
        any { $( $group:ident { $($case:ident)+ } )+ }
        gateway { $( $ggroup:ident { $($gcase:ident)+ } )+ }
    ) => {
        /// Every case.
        pub(crate) const CASES: &[Case] = &[
            $($( Case {
                name: stringify!($case),
                check: Check::Any(|connector, target| run($group::$case(connector, target))),
            }, )+)+
            $($( Case {
                name: stringify!($gcase),
                check: Check::Gateway(|backend| run($ggroup::$gcase(backend))),
            }, )+)+
        ];
    };
}

cases! {
    any {
        data {
            server_time
            managed_accounts
            account_summary
            positions
            contract_details
            historical_bars
            a_snapshot_ends_by_itself
            an_unknown_symbol_is_error_200
            a_thousand_requests_at_once_get_their_own_replies
        }
        sessions {
            says_what_connecting_found_out
            uses_the_client_id_given
            picks_client_ids_that_differ
            closes_as_often_as_asked
        }
    }
    gateway {
        data {
            a_thousand_requests_go_past_a_hundred_streams
            what_no_gateway_understands_is_not_sent
            positions_asked_for_during_an_answer_are_whole
            the_rest_of_an_abandoned_answer_is_nobody_elses
        }
        sessions {
            a_host_can_have_a_name
            a_client_id_has_one_user
            a_stream_ticks_until_it_is_dropped
            notices_begin_with_those_of_the_handshake
            closing_ends_what_is_open
            a_gateway_that_reads_nothing_is_left_in_time
            what_binds_orders_is_not_asked_in_a_read_only_session
            dropping_a_session_closes_it
            dropping_a_session_inside_a_runtime_stops_nothing
            connects_while_the_caller_is_blocked
            blocking_calls_need_no_runtime
            blocking_calls_are_answered_while_the_runtime_is_blocked
        }
        alive {
            a_gateway_is_alive_as_often_as_it_is_asked
            questions_for_the_time_wait_for_their_turn
            the_clock_is_proof_where_nothing_else_is_answered
            a_complaint_about_something_else_fails_no_ping
        }
        openings {
            a_flood_of_notices_costs_neither_accounts_nor_notices
            what_is_no_utf_8_is_read_all_the_same
            an_order_id_beyond_the_limit_keeps_out_those_who_trade
            what_was_said_instead_of_accounts_is_the_reason
        }
        accounts {
            the_clock_has_milliseconds
            accounts_of_one_login_are_a_family
            profits_of_positions_add_up
            what_is_not_held_has_no_profit
            a_summary_adds_up_while_prices_move
            two_summaries_at_a_time
            the_money_of_several_accounts_adds_up
            positions_of_one_account_are_those_of_all
            a_portfolio_adds_up_while_prices_move
            many_ask_for_positions_at_once
            streams_and_requests_share_the_positions
            an_account_at_a_time_has_updates
            account_updates_name_an_account_of_the_login
        }
        market {
            a_quote_is_whole
            each_quote_has_the_type_it_asked_for
            generic_ticks_come_with_the_rest
            what_is_not_subscribed_says_so
            historical_ticks_go_from_a_start_or_to_an_end
            midpoints_are_those_of_the_quotes
            streamed_ticks_are_those_of_history
            ticks_of_the_past_come_before_the_stream
            bars_are_made_of_ticks
            every_bar_size_and_kind_of_data
            real_time_bars_are_made_of_ticks
            bars_are_kept_up_to_date
            a_histogram_counts_what_the_bars_count
            a_schedule_has_the_days_of_the_bars
            the_first_bar_is_at_the_head_timestamp
            a_book_begins_with_the_quote
            a_book_of_prices_names_nobody
            a_reset_book_is_sent_anew
        }
        reroutes {
            a_stream_goes_on_with_the_contract_that_has_its_data
            a_quote_is_that_of_the_contract_that_has_one
            who_is_sent_in_circles_is_told_whom_to_ask
            what_can_not_follow_names_the_contract_at_once
            a_refusal_of_the_contract_that_is_followed_says_whose_it_is
            a_contract_that_is_followed_has_a_deadline_too
            a_reroute_of_nobody_harms_nobody
        }
        late {
            history_that_is_answered_with_2188_alone_is_an_error_soon
            so_is_2188_about_nobody_where_only_one_asks
            history_that_follows_2188_is_the_answer
            what_is_never_delayed_fails_where_it_is_not_subscribed
            a_snapshot_that_does_not_end_has_a_deadline
        }
        arrivals {
            a_commission_that_overtakes_its_execution_comes_after_it
            answers_about_executions_are_no_news_and_news_are_no_answers
            an_answer_of_thousands_of_executions_is_whole
            what_another_client_does_to_an_order_is_told
        }
        gateway {
            connectivity_begins_with_the_farms_of_the_handshake
        }
        contracts {
            every_kind_of_contract_is_found_and_quoted
            symbols_match_by_their_beginning
            prices_move_in_the_steps_of_their_rule
            an_option_chain_is_what_the_details_list
            an_options_price_and_volatility_are_each_others
            the_model_in_market_data_is_the_one_that_answers
            a_combination_is_quoted_as_the_sum_of_its_legs
            an_index_and_its_futures_move_together
        }
        orders {
            executions_add_up_to_the_positions
            executions_are_those_that_were_asked_for
            completed_orders_are_those_that_were_executed
            open_orders_are_ones_own_and_all_are_everybodys
            orders_asked_for_at_once_are_whole
            order_updates_follow_the_market
            a_read_only_api_refuses_questions_about_orders
            the_gateways_settings_are_its_own
            a_display_group_shows_a_contract_until_it_is_dropped
        }
        news {
            every_headline_has_its_article
            headlines_of_the_past_come_page_by_page
            news_needs_providers_and_a_contract_that_exist
            headlines_that_came_are_in_the_past_later
            headlines_need_providers_and_a_contract_that_exist
            a_scan_ranks_by_the_quotes
            streams_of_bulletins_share_what_has_come
            scanner_parameters_name_the_scans
            corporate_events_are_those_asked_for
        }
        loss {
            an_abandoned_connect_leaves_nothing
            an_unanswered_request_times_out_alone
            a_request_may_have_a_deadline_of_its_own
            the_deadline_of_requests_is_not_that_of_the_handshake
            a_gateway_that_closes_ends_everything
            a_gateway_that_resets_ends_everything
            whoever_waits_learns_of_the_loss
            a_close_has_one_name_in_every_race
            a_reset_has_one_name_in_every_race
        }
        endings {
            a_loss_has_one_name_whichever_way_it_comes
            what_was_said_long_ago_is_not_the_reason
            only_who_closes_has_closed
            an_error_about_no_request_ends_none_that_is_answered
        }
        silence {
            an_overlooked_question_is_asked_again_at_once
            a_late_answer_to_another_question_is_nobodys
            the_rest_of_an_answer_about_orders_is_nobodys
            who_waits_behind_a_silent_question_is_served_in_time
            silent_summaries_make_room_for_the_third
            the_end_mark_of_another_account_ends_nothing
            an_account_without_an_end_does_not_block_the_next
            what_times_out_says_why
            who_follows_an_account_is_told_that_nothing_comes
            what_was_mended_is_no_reason
            the_opening_of_a_stream_has_a_deadline
        }
    }
}

/// A Gateway without a fault.
pub(crate) fn healthy() -> Simulator {
    Simulator::start(SimOptions::default()).unwrap()
}

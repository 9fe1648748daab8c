//! Orders and executions agree with positions and quotes. Nothing here places one.

use std::collections::HashMap;

use ibkr_connect_core::types::{
    AdvisorConfigParams, CompletedOrdersParams, Contract, DisplayGroupEvent, DisplayGroupEventsParams,
    ExecutionSide, ExecutionsParams, ExecutionsSide, OrderAction, OrderUpdatesEvent,
};
use ibkr_connect_core::{ErrorKind, Session};
use ibkr_connect_sim::{CLIENT_WITH_ORDERS, SimOptions, Simulator};

use crate::Backend;
use crate::support::backend::target;
use crate::support::{PATIENCE, until};

/// A session of the client that has orders, with two accounts.
async fn with(backend: &dyn Backend, options: SimOptions, case: impl AsyncFn(&Simulator, &Session)) {
    let accounts = vec!["DU1".to_owned(), "DU2".to_owned()];
    let gateway = Simulator::start(SimOptions { accounts, ..options }).unwrap();
    let target = target(gateway.port()).with_client_id(Some(CLIENT_WITH_ORDERS));
    let session = crate::cases::data::session(&**backend, &target).await;
    case(&gateway, &session).await;
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn executions_add_up_to_the_positions(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |_, session| {
        let executions = session.executions(ExecutionsParams::default()).await.unwrap();
        let mut bought = HashMap::<_, (f64, f64)>::new();
        for details in &executions {
            let execution = &details.execution;
            assert_eq!(execution.side, ExecutionSide::Bought);
            let report = details.commission_report.as_ref().unwrap();
            assert_eq!((&report.exec_id, report.currency.as_str()), (&execution.exec_id, "USD"));
            let (shares, cost) =
                bought.entry((execution.account.clone(), details.contract.con_id)).or_default();
            let filled = execution.shares.unwrap();
            *shares += filled;
            *cost += filled * execution.price.unwrap() + report.commission.unwrap();
            assert_eq!(execution.cum_qty, Some(*shares), "{execution:?}");
        }
        let positions = session.positions().await.unwrap();
        assert_eq!(positions.len(), bought.len());
        for held in positions {
            let (shares, cost) = bought[&(held.account.clone(), held.contract.con_id)];
            assert_eq!(Some(shares), held.position);
            let average = held.average_cost.unwrap();
            assert!((cost / shares - average).abs() < 1e-9, "{cost} for {shares}, but {average} on average");
        }
    })
    .await;
}

pub(crate) async fn executions_are_those_that_were_asked_for(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |_, session| {
        let all = session.executions(ExecutionsParams::default()).await.unwrap();
        let symbol = all[0].contract.symbol.clone();
        let params = ExecutionsParams::default().with_symbol(symbol.clone()).with_account("DU1");
        let some = session.executions(params).await.unwrap();
        let expected: Vec<_> = all
            .iter()
            .filter(|details| details.contract.symbol == symbol && details.execution.account == "DU1")
            .collect();
        assert!(!expected.is_empty() && expected.len() < all.len());
        assert_eq!(some.iter().collect::<Vec<_>>(), expected);

        let latest = all.iter().filter_map(|details| details.execution.time.timestamp()).max().unwrap();
        let params = ExecutionsParams::default().with_time(Some(latest));
        let newest = session.executions(params).await.unwrap();
        assert!(!newest.is_empty() && newest.len() < all.len(), "{newest:?}");
        let sold = ExecutionsParams::default().with_side(Some(ExecutionsSide::Sell));
        assert_eq!(session.executions(sold).await.unwrap(), []);
        let by_hand = ExecutionsParams::default().with_client_id(Some(0));
        assert!(session.executions(by_hand).await.unwrap().iter().all(|of| of.execution.client_id == 0));
    })
    .await;
}

pub(crate) async fn completed_orders_are_those_that_were_executed(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |_, session| {
        let mut filled = HashMap::<_, f64>::new();
        for details in session.executions(ExecutionsParams::default()).await.unwrap() {
            *filled.entry(details.execution.perm_id).or_default() += details.execution.shares.unwrap();
        }
        let completed =
            session.completed_orders(CompletedOrdersParams::default().with_api_only(false)).await.unwrap();
        assert_eq!(completed.len(), filled.len());
        for of in &completed {
            assert_eq!(of.order.filled_quantity, Some(filled[&of.order.perm_id]), "{of:?}");
            assert_eq!(of.order_state.status, "Filled");
            assert!(of.order_state.completed_time.as_ref().unwrap().timestamp().is_some(), "{of:?}");
        }
        let over_the_api =
            session.completed_orders(CompletedOrdersParams::default().with_api_only(true)).await.unwrap();
        assert!(!over_the_api.is_empty() && over_the_api.len() < completed.len());
    })
    .await;
}

pub(crate) async fn open_orders_are_ones_own_and_all_are_everybodys(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |gateway, session| {
        let own = session.open_orders().await.unwrap();
        let all = session.all_open_orders().await.unwrap();
        assert!(!own.is_empty() && own.len() < all.len());
        assert!(own.iter().all(|of| of.order.client_id == CLIENT_WITH_ORDERS), "{own:?}");
        for of in &all {
            let status = of.order_status.as_ref().unwrap();
            assert_eq!((status.perm_id, status.filled), (of.order.perm_id, Some(0.0)), "{of:?}");
            assert_eq!(status.remaining, of.order.total_quantity);
        }
        let next = session.next_order_id().await.unwrap();
        assert!(own.iter().all(|of| of.order.order_id < next), "{next}");

        let sold = own.iter().find(|of| of.order.action == OrderAction::Sell).unwrap();
        let held = session.positions().await.unwrap();
        let held = held.iter().find(|held| held.contract.con_id == sold.contract.con_id).unwrap();
        assert_eq!((&held.account, held.position), (&sold.order.account, sold.order.total_quantity));

        let other = crate::cases::data::session(&**backend, &target(gateway.port())).await;
        assert_eq!(other.open_orders().await.unwrap(), []);
        assert_eq!(other.all_open_orders().await.unwrap().len(), all.len());
        other.close().await.unwrap();
    })
    .await;
}

pub(crate) async fn orders_asked_for_at_once_are_whole(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |_, session| {
        let expected =
            (session.open_orders().await.unwrap().len(), session.all_open_orders().await.unwrap().len());
        let mut questions = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let session = session.clone();
            questions.spawn(async move {
                let (own, all) = tokio::join!(session.open_orders(), session.all_open_orders());
                (own.unwrap().len(), all.unwrap().len())
            });
        }
        assert_eq!(questions.join_all().await, vec![expected; 20]);
    })
    .await;
}

pub(crate) async fn order_updates_follow_the_market(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |_, session| {
        let mut updates = session.order_updates().await.unwrap();
        let mut limits = Vec::new();
        while limits.len() < 2 {
            let update = tokio::time::timeout(PATIENCE, updates.next()).await.unwrap().unwrap().unwrap();
            let OrderUpdatesEvent::OpenOrder(of) = update else { continue };
            assert_eq!((of.order.client_id, of.order.order_type.as_str()), (CLIENT_WITH_ORDERS, "REL"));
            limits.push(of.order.lmt_price.unwrap());
        }
        assert_ne!(limits[0], limits[1]);
    })
    .await;
}

pub(crate) async fn a_read_only_api_refuses_questions_about_orders(backend: &dyn Backend) {
    with(backend, SimOptions { read_only_api: true, ..SimOptions::default() }, async |_, session| {
        let refused = [
            session.open_orders().await.unwrap_err(),
            session.all_open_orders().await.unwrap_err(),
            session.completed_orders(CompletedOrdersParams::default()).await.unwrap_err(),
        ];
        for error in refused {
            assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(321)), "{error}");
            assert!(error.message().contains("Read-Only"), "{error}");
        }
        assert!(!session.executions(ExecutionsParams::default()).await.unwrap().is_empty());
        let settings = session.gateway_config().await.unwrap().api_settings.unwrap();
        assert_eq!(settings.read_only_api, Some(true));
    })
    .await;
}

pub(crate) async fn the_gateways_settings_are_its_own(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |gateway, session| {
        let settings = session.gateway_config().await.unwrap().api_settings.unwrap();
        assert_eq!(settings.socket_port, Some(gateway.port().into()));
        assert_eq!(settings.read_only_api, Some(false));
        assert_eq!(session.soft_dollar_tiers().await.unwrap().len(), 1);
        let groups = session.advisor_config(AdvisorConfigParams::default()).await.unwrap();
        assert!(groups.contains("<String>DU2</String>"), "{groups}");
    })
    .await;
    let gateway = crate::cases::healthy();
    let session = crate::cases::data::session(&**backend, &target(gateway.port())).await;
    let no_advisor = session.advisor_config(AdvisorConfigParams::default()).await.unwrap_err();
    assert_eq!((no_advisor.kind(), no_advisor.code()), (ErrorKind::GatewayError, Some(321)), "{no_advisor}");
    session.close().await.unwrap();
}

pub(crate) async fn a_display_group_shows_a_contract_until_it_is_dropped(backend: &dyn Backend) {
    with(backend, SimOptions::default(), async |gateway, session| {
        let group_id = session.display_groups().await.unwrap()[0];
        let mut shown = session
            .display_group_events(DisplayGroupEventsParams::default().with_group_id(group_id))
            .await
            .unwrap();
        let DisplayGroupEvent::Contract { con_id, .. } = shown.next().await.unwrap().unwrap() else {
            panic!("it shows a contract")
        };
        let wanted = ibkr_connect_core::literal!(Contract { con_id, ..Contract::default() });
        assert_eq!(session.contract_details(wanted).await.unwrap().len(), 1);
        drop(shown);
        until("the cancel arrives", || gateway.stats().requested("unsubscribeFromGroupEvents") == 1).await;

        let mut nothing = session
            .display_group_events(DisplayGroupEventsParams::default().with_group_id(99))
            .await
            .unwrap();
        let unknown = nothing.next().await.unwrap().unwrap_err();
        assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::GatewayError, Some(321)), "{unknown}");
    })
    .await;
}

//! The Gateway's own state.

use ibkr_connect_core::types::{Connectivity, FarmKind, FarmStatus};

use crate::Backend;
use crate::cases::data::session;
use crate::cases::healthy;
use crate::support::backend::target;

pub(crate) async fn connectivity_begins_with_the_farms_of_the_handshake(backend: &dyn Backend) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    let mut changes = session.connectivity().await.unwrap();
    let farm = |kind, name: &str, status| Connectivity::DataFarm { kind, name: name.to_owned(), status };
    for (kind, name) in [
        (FarmKind::MarketData, "usfarm"),
        (FarmKind::Historical, "ushmds"),
        (FarmKind::SecurityDefinitions, "secdefnj"),
    ] {
        let told = changes.next().await.unwrap().unwrap();
        assert_eq!((told.change, told.time.is_some()), (farm(kind, name, FarmStatus::Connected), true));
    }

    gateway.broadcast_notice(1100, "Connectivity between IBKR and Trader Workstation has been lost.");
    gateway.broadcast_notice(2100, "New account data requested from TWS. API client has been unsubscribed.");
    gateway.broadcast_notice(1101, "Connectivity has been restored - data lost.");
    gateway.broadcast_notice(2103, "Market data farm connection is broken:usfarm");
    for change in [
        Connectivity::Lost {},
        Connectivity::Restored { data_kept: false },
        farm(FarmKind::MarketData, "usfarm", FarmStatus::Disconnected),
    ] {
        assert_eq!(changes.next().await.unwrap().unwrap().change, change);
    }
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

//! Account ids in the log of a whole session.

use ibkr_connect::ConnectionMode;
use ibkr_connect::config::LogAccounts;
use ibkr_connect::resilience::SupervisorOptions;
use ibkr_connect::types::{AccountSummaryParams, Contract};
use ibkr_connect_sim::{SimOptions, Simulator};

use crate::recorder::{Told, told};
use crate::stage::{Stage, TICK};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::{run, until};

/// A whole session of an account: connect, data, an error, and a Gateway that speaks of the account.
pub(crate) fn are_shown(mode: ConnectionMode, log_accounts: LogAccounts) {
    let account = account(mode, log_accounts);
    let account = account.as_str();
    let options =
        SimOptions { accounts: vec![account.to_owned()], tick_interval: TICK, ..SimOptions::default() };
    let gateway = Simulator::start(options).unwrap();
    let stage = Stage::new(mode, gateway.port());
    let target = stage.target.clone().with_log_accounts(log_accounts);
    let supervisor = stage.supervise(target, SupervisorOptions::default());
    let masked = ibkr_connect::mask_account(account);
    run(async {
        let session = supervisor.session().await.unwrap();
        assert_eq!(session.info().accounts, [account]);
        assert!(!format!("{session:?}").contains(account), "a careless line");
        session.account_summary(AccountSummaryParams::default()).await.unwrap();
        session.positions().await.unwrap();
        session.contract_details(Contract::stock("NOSUCH")).await.unwrap_err();
        gateway.broadcast_notice(2100, format!("API client has been unsubscribed from account {account}."));
        let shown = if log_accounts == LogAccounts::Full { account } else { &masked };
        until("the notice is told", || told().iter().any(|told| is_notice(told, shown))).await;
        supervisor.close().await;
    });
    // ibapi's own lines are the host's to mask, where ibapi runs in the host.
    let shown: Vec<_> =
        told().into_iter().filter(|told| !is_of_ibapi(told) && shows(told, account)).collect();
    match log_accounts {
        LogAccounts::Masked => assert!(shown.is_empty(), "{shown:?}"),
        LogAccounts::Full => {
            let connected = |told: &Told| told.name == "connect_attempt_succeeded";
            assert!(
                shown.iter().any(connected) && shown.iter().any(|told| is_notice(told, account)),
                "{shown:?}"
            );
        }
    }
}

/// Every test has an account of its own: they share one record of what was told.
fn account(mode: ConnectionMode, log_accounts: LogAccounts) -> String {
    let backend = REAL_BACKENDS.iter().position(|real| *real == mode).unwrap();
    let number = 2 * backend + usize::from(log_accounts == LogAccounts::Full);
    format!("DU{}", 2_345_671 + 10_101 * number)
}

fn is_of_ibapi(told: &Told) -> bool {
    told.values.get("log.target").is_some_and(|target| target.starts_with("ibapi"))
}

fn is_notice(told: &Told, account: &str) -> bool {
    told.name == "gateway_notice" && shows(told, account)
}

fn shows(told: &Told, text: &str) -> bool {
    told.name.contains(text) || told.values.values().any(|value| value.contains(text))
}

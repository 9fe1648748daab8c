//! Contracts of every kind, and that what is said about options agrees.

use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    CalculateImpliedVolatilityParams, CalculateOptionPriceParams, ComboLeg, Contract, ContractDetails,
    Expiry, MarketDataEvent, MarketDataParams, MarketRuleParams, MatchingSymbolsParams, OptionChainParams,
    OptionRight, QuoteSnapshotParams, SecurityId, TickType,
};
use ibkr_connect_core::{ErrorKind, Session};
use ibkr_connect_sim::{SimOptions, Simulator};
use jiff::civil::date;

use crate::Backend;
use crate::support::backend::target;

const APPLE: i32 = 265_598;

/// A session with a Gateway whose market stands still unless something is subscribed.
async fn with(backend: &dyn Backend, case: impl AsyncFn(&Session)) {
    let replay = Some("2026-07-10T15:00:00Z".parse().unwrap());
    let gateway = Simulator::start(SimOptions { replay, ..SimOptions::default() }).unwrap();
    let session = crate::cases::data::session(&**backend, &target(gateway.port())).await;
    case(&session).await;
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

async fn only(session: &Session, contract: Contract) -> ContractDetails {
    let found = session.contract_details(contract.clone()).await.unwrap();
    assert_eq!(found.len(), 1, "{contract:?}: {found:?}");
    found.into_iter().next().unwrap()
}

pub(crate) async fn every_kind_of_contract_is_found_and_quoted(backend: &dyn Backend) {
    with(backend, async |session| {
        let strike = strikes(session).await[3];
        for (contract, sec_type) in [
            (Contract::stock("AAPL"), "STK"),
            (Contract::option("AAPL", date(2027, 12, 17), OptionRight::Put, strike), "OPT"),
            (Contract::future("ES", Expiry::month(2028, 3).unwrap(), "CME"), "FUT"),
            (Contract::forex("EUR", "USD"), "CASH"),
            (Contract::index("SPX", "CBOE"), "IND"),
            (Contract::crypto("BTC", "PAXOS"), "CRYPTO"),
            (Contract::bond(&SecurityId::cusip("912810RN0").unwrap()), "BOND"),
        ] {
            let found = only(session, contract.clone()).await.contract;
            assert_eq!(found.sec_type, sec_type);
            assert_eq!(
                only(session, Contract::with_con_id(found.con_id)).await.contract.con_id,
                found.con_id
            );
            let params = QuoteSnapshotParams::default().with_contract(contract);
            let quote = session.quote_snapshot(params).await.unwrap();
            assert!(quote.bid < quote.ask, "{quote:?}");
        }
        let months = session.contract_details(Contract::futures("ES", "CME")).await.unwrap();
        assert_eq!(months.len(), 3);
        assert!(months.iter().all(|month| month.under_symbol == "ES" && month.under_sec_type == "IND"));
        let bond = only(session, Contract::bond(&SecurityId::cusip("912810RN0").unwrap())).await;
        assert_eq!(bond.bond.unwrap().coupon, Some(2.875));
    })
    .await;
}

pub(crate) async fn symbols_match_by_their_beginning(backend: &dyn Backend) {
    with(backend, async |session| {
        let matching = async |pattern: &str| {
            let params = MatchingSymbolsParams::default().with_pattern(pattern.to_owned());
            session.matching_symbols(params).await.unwrap()
        };
        let found = matching("aa").await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].contract.con_id, found[0].contract.description.as_str()), (APPLE, "APPLE INC"));
        assert_eq!(found[0].derivative_sec_types, ["OPT"]);
        assert_eq!(matching("E-MINI").await[0].contract.symbol, "ES");
        assert_eq!(matching("no such name").await, []);
    })
    .await;
}

pub(crate) async fn prices_move_in_the_steps_of_their_rule(backend: &dyn Backend) {
    with(backend, async |session| {
        let option = literal!(Contract { strike: Some(strikes(session).await[0]), ..options() });
        for contract in
            [Contract::stock("AAPL"), Contract::futures("ES", "CME"), Contract::forex("EUR", "USD"), option]
        {
            for details in session.contract_details(contract).await.unwrap() {
                assert_eq!(details.market_rule_ids.len(), details.valid_exchanges.len(), "{details:?}");
                let params = MarketRuleParams::default()
                    .with_market_rule_id(details.market_rule_ids[0].parse().unwrap());
                let rule = session.market_rule(params).await.unwrap();
                assert_eq!(rule.price_increments[0].increment, details.min_tick);
            }
        }
        let unknown =
            session.market_rule(MarketRuleParams::default().with_market_rule_id(9)).await.unwrap_err();
        assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::GatewayError, Some(321)), "{unknown}");
    })
    .await;
}

fn options() -> Contract {
    literal!(Contract { sec_type: "OPT".into(), ..Contract::stock("AAPL") })
}

async fn strikes(session: &Session) -> Vec<f64> {
    let chains = session.option_chain(OptionChainParams::of_stock("AAPL", APPLE)).await.unwrap();
    chains[0].strikes.clone()
}

pub(crate) async fn an_option_chain_is_what_the_details_list(backend: &dyn Backend) {
    with(backend, async |session| {
        let chains = session.option_chain(OptionChainParams::of_stock("AAPL", APPLE)).await.unwrap();
        let smart = chains.iter().find(|chain| chain.exchange == "SMART").unwrap();
        let details = session.contract_details(options()).await.unwrap();
        assert_eq!(details.len(), smart.expirations.len() * smart.strikes.len() * 2);
        for option in &details {
            let contract = &option.contract;
            assert!(smart.strikes.contains(&contract.strike.unwrap()), "{contract:?}");
            let days = smart.expirations.iter().map(|day| day.strftime("%Y%m%d").to_string());
            assert!(days.into_iter().any(|day| day == contract.last_trade_date_or_contract_month));
            assert_eq!((option.under_con_id, &contract.multiplier), (APPLE, &smart.multiplier));
        }
        let none = session.option_chain(OptionChainParams::of_stock("IBM", 8_314)).await.unwrap();
        assert_eq!(none, []);
    })
    .await;
}

pub(crate) async fn an_options_price_and_volatility_are_each_others(backend: &dyn Backend) {
    with(backend, async |session| {
        let strike = strikes(session).await[8];
        for right in [OptionRight::Call, OptionRight::Put] {
            let contract = Contract::option("AAPL", date(2028, 1, 21), right, strike);
            let params = CalculateOptionPriceParams::default()
                .with_contract(contract.clone())
                .with_volatility(0.3)
                .with_under_price(strike * 1.02);
            let priced = session.calculate_option_price(params.clone()).await.unwrap();
            assert_eq!(
                (priced.implied_volatility, priced.underlying_price),
                (Some(0.3), Some(strike * 1.02))
            );
            let back = CalculateImpliedVolatilityParams::default()
                .with_contract(contract.clone())
                .with_option_price(priced.option_price.unwrap())
                .with_under_price(params.under_price);
            let implied = session.calculate_implied_volatility(back.clone()).await.unwrap();
            assert!((implied.implied_volatility.unwrap() - 0.3).abs() < 1e-6, "{implied:?}");
            // No volatility makes an option cost more than what it is about.
            let absurd = back.with_option_price(strike * 9.0);
            let none = session.calculate_implied_volatility(absurd).await.unwrap();
            assert_eq!((none.implied_volatility, none.delta), (None, None), "{none:?}");
        }
        let any = CalculateOptionPriceParams::default()
            .with_contract(options())
            .with_volatility(0.3)
            .with_under_price(strike);
        assert_eq!(session.calculate_option_price(any).await.unwrap_err().code(), Some(200));
    })
    .await;
}

/// What the model says in an option's market data: its price, volatility, and the underlying's price.
async fn model(session: &Session, contract: Contract) -> (f64, f64, f64) {
    let mut ticks = session.market_data(MarketDataParams::snapshot(contract)).await.unwrap();
    let mut model = None;
    while let Some(event) = ticks.next().await {
        if let MarketDataEvent::OptionComputation {
            tick_type: TickType::MODEL_OPTION,
            option_price,
            implied_volatility,
            underlying_price,
            ..
        } = event.unwrap()
        {
            model = Some((option_price.unwrap(), implied_volatility.unwrap(), underlying_price.unwrap()));
        }
    }
    model.expect("an option has a model")
}

pub(crate) async fn the_model_in_market_data_is_the_one_that_answers(backend: &dyn Backend) {
    with(backend, async |session| {
        let strikes = strikes(session).await;
        let option = |right, strike| Contract::option("AAPL", date(2028, 1, 21), right, strike);
        let mut parities = Vec::new();
        for strike in &strikes[2..5] {
            let (call, volatility, spot) = model(session, option(OptionRight::Call, *strike)).await;
            let (put, ..) = model(session, option(OptionRight::Put, *strike)).await;
            let contract = option(OptionRight::Call, *strike);
            let params = CalculateOptionPriceParams::default()
                .with_contract(contract)
                .with_volatility(volatility)
                .with_under_price(spot);
            let asked = session.calculate_option_price(params).await.unwrap().option_price.unwrap();
            assert!((asked - call).abs() < 1e-9, "{asked} {call}");
            parities.push(call - put);
        }
        // A call less a put of the same strike is worth the underlying less the discounted strike.
        let [first, second, third] = parities[..] else { panic!("three strikes") };
        assert!((2.0 * second - first - third).abs() < 1e-9 && first > second, "{parities:?}");
    })
    .await;
}

pub(crate) async fn a_combination_is_quoted_as_the_sum_of_its_legs(backend: &dyn Backend) {
    with(backend, async |session| {
        let strikes = strikes(session).await;
        let mut legs = Vec::new();
        for strike in [strikes[6], strikes[9]] {
            let option = Contract::option("AAPL", date(2027, 12, 17), OptionRight::Call, strike);
            legs.push(only(session, option).await.contract);
        }
        let quote = async |contract: &Contract| {
            let params = QuoteSnapshotParams::default().with_contract(contract.clone());
            let quote = session.quote_snapshot(params).await.unwrap();
            (quote.bid.unwrap(), quote.ask.unwrap())
        };
        let [(low_bid, low_ask), (high_bid, high_ask)] = [quote(&legs[0]).await, quote(&legs[1]).await];
        let spread =
            Contract::combo("AAPL", [ComboLeg::buy(legs[0].con_id, 2), ComboLeg::sell(legs[1].con_id, 1)]);
        let (bid, ask) = quote(&spread).await;
        assert!((bid - (2.0 * low_bid - high_ask)).abs() < 1e-6, "{bid}");
        assert!((ask - (2.0 * low_ask - high_bid)).abs() < 1e-6, "{ask}");

        let unknown = Contract::combo("AAPL", [ComboLeg::buy(1, 1), ComboLeg::sell(legs[0].con_id, 1)]);
        let params = QuoteSnapshotParams::default().with_contract(unknown);
        assert_eq!(session.quote_snapshot(params).await.unwrap_err().code(), Some(200));
    })
    .await;
}

pub(crate) async fn an_index_and_its_futures_move_together(backend: &dyn Backend) {
    with(backend, async |session| {
        let middle = async |contract: Contract| {
            let params = QuoteSnapshotParams::default().with_contract(contract);
            let quote = session.quote_snapshot(params).await.unwrap();
            f64::midpoint(quote.bid.unwrap(), quote.ask.unwrap())
        };
        let index = middle(Contract::index("SPX", "CBOE")).await;
        let mut last = index;
        for month in [(2027, 12), (2028, 3), (2028, 6)] {
            let expiry = Expiry::month(month.0, month.1).unwrap();
            let future = middle(Contract::future("ES", expiry, "CME")).await;
            assert!(last < future && future < index * 1.05, "{last} {future} {index}");
            last = future;
        }
    })
    .await;
}

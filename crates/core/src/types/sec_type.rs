//! What a contract is, in TWS's words.

use super::OptionRight;
use super::words::tws_words;

tws_words! {
    /// What kind of instrument a contract is.
    ///
    /// ```
    /// # use ibkr_connect_core::types::{Contract, SecType};
    /// let contract = Contract::stock("AAPL");
    /// assert_eq!(contract.sec_type, SecType::Stock);
    /// assert_eq!(contract.sec_type, "STK");
    /// assert_eq!(SecType::from("NEW"), SecType::Other("NEW".to_owned()));
    /// ```
    SecType {
        /// None is named: any matches.
        Any,
        /// `STK`: a stock or ETF.
        Stock = "STK",
        /// `OPT`: an option on a stock or index.
        Option = "OPT",
        /// `FUT`: a future.
        Future = "FUT",
        /// `CONTFUT`: a continuous future.
        ContinuousFuture = "CONTFUT",
        /// `FOP`: an option on a future.
        FutureOption = "FOP",
        /// `CASH`: a currency pair.
        Forex = "CASH",
        /// `IND`: an index.
        Index = "IND",
        /// `CRYPTO`: a cryptocurrency.
        Crypto = "CRYPTO",
        /// `BOND`: a bond.
        Bond = "BOND",
        /// `BILL`: a treasury bill.
        Bill = "BILL",
        /// `BAG`: a combination of legs.
        Combo = "BAG",
        /// `CFD`: a contract for difference.
        Cfd = "CFD",
        /// `FUND`: a mutual fund.
        Fund = "FUND",
        /// `CMDTY`: a commodity.
        Commodity = "CMDTY",
        /// `WAR`: a warrant.
        Warrant = "WAR",
        /// `IOPT`: a Dutch warrant or structured product.
        StructuredProduct = "IOPT",
        /// `NEWS`: a source of news.
        News = "NEWS",
        /// `EC`: a forecast contract.
        ForecastContract = "EC",
    }
}

tws_words! {
    /// What an option gives the right to, as a contract names it.
    ///
    /// ```
    /// # use ibkr_connect_core::types::{OptionRight, Right};
    /// assert_eq!(Right::from(OptionRight::Put), Right::Put);
    /// assert_eq!(Right::from("CALL"), "CALL", "TWS takes the long words too, and they are kept");
    /// ```
    Right {
        /// It is no option, or any matches.
        Unset,
        /// `C`
        Call = "C",
        /// `P`
        Put = "P",
    }
}

impl From<OptionRight> for Right {
    fn from(right: OptionRight) -> Self {
        match right {
            OptionRight::Call => Self::Call,
            OptionRight::Put => Self::Put,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_as_it_went() {
        for word in ["", "STK", "BAG", "EC", "stk", "SOMETHING NEW"] {
            let sec_type: SecType = serde_json::from_value(word.into()).unwrap();
            assert_eq!(serde_json::to_value(&sec_type).unwrap(), word);
            assert_eq!(sec_type, word);
        }
        for word in ["", "C", "P", "CALL", "?"] {
            let right: Right = serde_json::from_value(word.into()).unwrap();
            assert_eq!(serde_json::to_value(&right).unwrap(), word);
        }
    }

    #[test]
    fn a_known_word_is_no_other() {
        assert_eq!((SecType::from("FOP"), SecType::from("")), (SecType::FutureOption, SecType::Any));
        assert_eq!((Right::from("P"), Right::default()), (Right::Put, Right::Unset));
        assert_eq!(SecType::from("fop"), SecType::Other("fop".to_owned()), "TWS's words are in capitals");
    }
}

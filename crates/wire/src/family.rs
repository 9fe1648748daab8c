//! Answers that name no request: which messages they are made of.
//! Source of the numbers: IBKR's TWS API 10.x.

/// A kind of answer of which a connection has one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The positions of all accounts.
    Positions,
    /// The values and the portfolio of one account.
    AccountUpdates,
    /// One's own open orders, or all.
    OpenOrders,
    /// Today's completed orders.
    CompletedOrders,
}

/// What a message is in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One of its rows.
    Row,
    /// The mark behind the last one.
    End,
}

impl Family {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The family of a message, by its id without the protobuf mark.
    pub fn of(id: u32) -> Option<(Self, Part)> {
        Some(match id {
            61 => (Self::Positions, Part::Row),
            62 => (Self::Positions, Part::End),
            6..=8 => (Self::AccountUpdates, Part::Row),
            54 => (Self::AccountUpdates, Part::End),
            3 | 5 => (Self::OpenOrders, Part::Row),
            53 => (Self::OpenOrders, Part::End),
            101 => (Self::CompletedOrders, Part::Row),
            102 => (Self::CompletedOrders, Part::End),
            _ => return None,
        })
    }

    /// Its place among all, below [`COUNT`](Self::COUNT).
    pub fn index(self) -> usize {
        self as usize
    }
}

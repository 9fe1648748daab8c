//! Headlines: each instrument has one a minute, of a provider and at a second that the seed decides.

use std::ops::Range;

use super::shapes::scramble;
use super::{Instrument, Listing, World};

/// Codes and names of the providers.
pub(crate) const PROVIDERS: [(&str, &str); 3] = [
    ("BRFG", "Briefing.com General Market Columns"),
    ("BRFUPDN", "Briefing.com Analyst Actions"),
    ("DJNL", "Dow Jones Newsletters"),
];

/// What there is to say.
const STORIES: [&str; 6] = [
    "beats estimates, raises guidance",
    "misses estimates on soft demand",
    "upgraded to Buy",
    "downgraded to Hold",
    "announces buyback",
    "names new chief financial officer",
];

const MINUTE: i64 = 60;

/// What one provider wrote about one instrument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Headline {
    pub(crate) second: i64,
    pub(crate) provider: &'static str,
    pub(crate) article_id: String,
    pub(crate) text: String,
    /// Whether the article is a document and not a text.
    pub(crate) binary: bool,
}

impl World {
    /// The headlines of an instrument in a stretch of time, newest first.
    pub(crate) fn headlines(
        &self,
        listing: &'static Listing,
        seconds: Range<i64>,
    ) -> impl Iterator<Item = Headline> + use<> {
        let seed = self.seed;
        let minutes = seconds.start.div_euclid(MINUTE)..=(seconds.end - 1).div_euclid(MINUTE);
        minutes
            .rev()
            .map(move |minute| headline(seed, listing, minute))
            .filter(move |headline| seconds.contains(&headline.second))
    }

    /// The headline with this id, if it is out by `second`.
    pub(crate) fn headline(&self, article_id: &str, second: i64) -> Option<Headline> {
        let (_, key) = article_id.split_once('$')?;
        let (con_id, minute) = key.split_at_checked(8)?;
        let con_id = i32::from_str_radix(con_id, 16).ok()?;
        let minute = i64::from_str_radix(minute, 16).ok()?;
        let of = |instrument: &&Instrument| instrument.listing.con_id == con_id;
        let listing = self.instruments.iter().find(of)?.listing;
        Some(headline(self.seed, listing, minute))
            .filter(|headline| headline.article_id == article_id && headline.second <= second)
    }
}

fn headline(seed: u64, listing: &Listing, minute: i64) -> Headline {
    let con_id = i64::from(listing.con_id).cast_unsigned();
    let chance = scramble(seed ^ scramble(con_id ^ scramble(minute.cast_unsigned())));
    let pick = |shift: u32, count: usize| (chance >> shift) as usize % count;
    let (provider, _) = PROVIDERS[pick(0, PROVIDERS.len())];
    Headline {
        second: minute * MINUTE + pick(8, MINUTE as usize) as i64,
        provider,
        article_id: format!("{provider}${con_id:08x}{minute:08x}"),
        text: format!("{} {}", listing.long_name, STORIES[pick(16, STORIES.len())]),
        binary: pick(24, 16) == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_headline_is_found_by_its_id_once_it_is_out() {
        let world = World::new(5, &[]);
        let listing = world.instruments[0].listing;
        let headlines: Vec<_> = world.headlines(listing, 1_000_000..1_003_600).collect();
        assert!((59..=61).contains(&headlines.len()), "{}", headlines.len());
        assert!(headlines.is_sorted_by(|newer, older| newer.second > older.second));
        for headline in headlines {
            assert_eq!(world.headline(&headline.article_id, headline.second), Some(headline.clone()));
            assert_eq!(world.headline(&headline.article_id, headline.second - 1), None);
        }
        for unknown in ["", "BRFG", "BRFG$", "BRFG$é", "BRFG$zzzzzzzz00000001", "NONE$00040d7e00000001"] {
            assert_eq!(world.headline(unknown, i64::MAX), None, "{unknown}");
        }
    }
}

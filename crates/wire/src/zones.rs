//! The zones that TWS names, in all languages and abbreviations that are known.
//!
//! TWS takes a zone's name from its Java and its machine: IANA's `US/Eastern`, Windows' `Central European Standard Time`, an
//! abbreviation, or any of these in the machine's language.

use jiff::tz::{Offset, TimeZone};

/// The zone with this name.
pub fn by_name(name: &str) -> Option<TimeZone> {
    let iana = ALIASES.iter().find(|(_, names)| names.iter().any(|known| fits(known, name)));
    TimeZone::get(iana.map_or(name, |(iana, _)| *iana)).ok().or_else(|| offset(name))
}

/// Whether a name is this one. What got lost of a letter in its encoding may be any letter.
fn fits(known: &str, name: &str) -> bool {
    known.chars().count() == name.chars().count()
        && name.contains(|letter: char| letter != char::REPLACEMENT_CHARACTER)
        && known.chars().zip(name.chars()).all(|(known, letter)| {
            letter == char::REPLACEMENT_CHARACTER || known.eq_ignore_ascii_case(&letter)
        })
}

/// `+02:00`, `GMT+2`, `UTC-05:30`.
fn offset(name: &str) -> Option<TimeZone> {
    let number = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC")).unwrap_or(name);
    let (sign, number) = match number.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let (hours, minutes) = match number.split_once(':') {
        Some(parts) => parts,
        None if number.len() == 4 => number.split_at_checked(2)?,
        None => (number, "0"),
    };
    let within = |text: &str, limit: i32| {
        let number: i32 = text.parse().ok()?;
        (number < limit && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
    };
    let seconds = within(hours, 15)? * 3_600 + within(minutes, 60)? * 60;
    Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed)
}

/// What TWS calls IANA's zones. Windows' names are of Unicode's table for the whole world; an abbreviation that several zones share is
/// the one of the larger market. `EST` and its like are what a New York clock shows in July as well: TWS writes them all year.
const ALIASES: &[(&str, &[&str])] = &[
    (
        "UTC",
        &[
            "Z",
            "GMT0",
            "Coordinated Universal Time",
            "Koordinierte Weltzeit",
            "Temps universel coordonné",
            "Tiempo universal coordinado",
        ],
    ),
    (
        "America/New_York",
        &[
            "EST",
            "EDT",
            "ET",
            "Eastern Standard Time",
            "Eastern Daylight Time",
            "Eastern Time",
            "Nordamerikanische Ostküstenzeit",
            "Nordamerikanische Ostküsten-Normalzeit",
            "Nordamerikanische Ostküsten-Sommerzeit",
        ],
    ),
    (
        "America/Chicago",
        &["CST", "CDT", "CT", "Central Standard Time", "Central Daylight Time", "Central Time"],
    ),
    ("America/Denver", &["MST", "MDT", "Mountain Standard Time", "Mountain Daylight Time", "Mountain Time"]),
    ("America/Phoenix", &["US Mountain Standard Time"]),
    (
        "America/Los_Angeles",
        &["PST", "PDT", "PT", "Pacific Standard Time", "Pacific Daylight Time", "Pacific Time"],
    ),
    (
        "America/Anchorage",
        &["AKST", "AKDT", "Alaskan Standard Time", "Alaska Standard Time", "Alaska Daylight Time"],
    ),
    ("Pacific/Honolulu", &["HST", "Hawaiian Standard Time", "Hawaii Standard Time"]),
    ("America/Halifax", &["AST", "ADT", "Atlantic Standard Time", "Atlantic Daylight Time"]),
    ("America/St_Johns", &["NST", "NDT", "Newfoundland Standard Time", "Newfoundland Daylight Time"]),
    ("America/Mexico_City", &["Central Standard Time (Mexico)", "Mexico Standard Time"]),
    ("America/Bogota", &["COT", "SA Pacific Standard Time", "Colombia Standard Time", "Colombia Time"]),
    ("America/Lima", &["PET", "Peru Standard Time", "Peru Time"]),
    (
        "America/Santiago",
        &["CLT", "CLST", "Pacific SA Standard Time", "Chile Standard Time", "Chile Summer Time"],
    ),
    ("America/Argentina/Buenos_Aires", &["ART", "Argentina Standard Time", "Argentina Time"]),
    (
        "America/Sao_Paulo",
        &[
            "BRT",
            "BRST",
            "Brasilia Standard Time",
            "Brasilia Time",
            "Brasilia Summer Time",
            "E. South America Standard Time",
            "Horário Padrão de Brasília",
            "Horário de Brasília",
        ],
    ),
    (
        "Europe/London",
        &["BST", "Greenwich Mean Time", "GMT Standard Time", "British Summer Time", "GMT Daylight Time"],
    ),
    (
        "Europe/Lisbon",
        &[
            "WET",
            "WEST",
            "Western European Time",
            "Western European Standard Time",
            "Western European Summer Time",
        ],
    ),
    ("Europe/Dublin", &["Irish Standard Time"]),
    (
        "Europe/Berlin",
        &[
            "CEST",
            "MEZ",
            "MESZ",
            "W. Europe Standard Time",
            "W. Europe Daylight Time",
            "Central European Time",
            "Central European Standard Time",
            "Central European Summer Time",
            "Central Europe Standard Time",
            "Central Europe Daylight Time",
            "Central European Daylight Time",
            "Mitteleuropäische Zeit",
            "Mitteleuropäische Sommerzeit",
            "Mitteleuropäische Normalzeit",
        ],
    ),
    (
        "Europe/Paris",
        &[
            "Romance Standard Time",
            "Romance Daylight Time",
            "heure normale d’Europe centrale",
            "heure d’été d’Europe centrale",
            "Heure d'Europe centrale",
            "Heure d'été d'Europe centrale",
        ],
    ),
    (
        "Europe/Madrid",
        &["hora estándar de Europa central", "hora de verano de Europa central", "Hora de Europa Central"],
    ),
    (
        "Europe/Rome",
        &["Ora standard dell’Europa centrale", "Ora legale dell’Europa centrale", "Ora dell'Europa centrale"],
    ),
    ("Europe/Amsterdam", &["Midden-Europese standaardtijd", "Midden-Europese zomertijd"]),
    ("Europe/Warsaw", &["czas środkowoeuropejski standardowy", "czas środkowoeuropejski letni"]),
    (
        "Europe/Athens",
        &[
            "EET",
            "EEST",
            "GTB Standard Time",
            "Eastern European Time",
            "Eastern European Standard Time",
            "Eastern European Summer Time",
        ],
    ),
    ("Europe/Helsinki", &["FLE Standard Time", "FLE Daylight Time"]),
    ("Europe/Bucharest", &["E. Europe Standard Time", "E. Europe Daylight Time"]),
    ("Europe/Istanbul", &["TRT", "Turkey Standard Time", "Türkiye Standard Time"]),
    ("Europe/Moscow", &["MSK", "Russian Standard Time", "Moscow Standard Time", "Москва, стандартное время"]),
    ("Asia/Jerusalem", &["IDT", "Israel Standard Time", "Israel Daylight Time", "Jerusalem Standard Time"]),
    ("Asia/Riyadh", &["Arab Standard Time", "Arabian Standard Time (Riyadh)"]),
    ("Asia/Dubai", &["GST", "Arabian Standard Time", "Gulf Standard Time"]),
    ("Africa/Johannesburg", &["SAST", "South Africa Standard Time"]),
    ("Africa/Cairo", &["Egypt Standard Time"]),
    ("Africa/Lagos", &["WAT", "W. Central Africa Standard Time"]),
    ("Asia/Karachi", &["PKT", "Pakistan Standard Time"]),
    ("Asia/Kolkata", &["IST", "India Standard Time", "भारतीय मानक समय"]),
    ("Asia/Bangkok", &["ICT", "SE Asia Standard Time", "Indochina Time"]),
    ("Asia/Jakarta", &["WIB", "Western Indonesia Time"]),
    (
        "Asia/Singapore",
        &["SGT", "Singapore Standard Time", "Singapore Time", "Malay Peninsula Standard Time"],
    ),
    ("Asia/Kuala_Lumpur", &["MYT", "Malaysia Time"]),
    (
        "Asia/Hong_Kong",
        &["HKT", "Hong Kong Time", "Hong Kong Standard Time", "香港標準時間", "香港标准时间", "香港時間"],
    ),
    ("Asia/Shanghai", &["China Standard Time", "中国标准时间", "北京时间", "中國標準時間"]),
    ("Asia/Taipei", &["Taipei Standard Time", "台北標準時間", "台北标准时间"]),
    ("Asia/Manila", &["PHT", "Philippine Standard Time"]),
    ("Asia/Seoul", &["KST", "Korea Standard Time", "Korean Standard Time", "대한민국 표준시", "한국 표준시"]),
    ("Asia/Tokyo", &["JST", "Tokyo Standard Time", "Japan Standard Time", "日本標準時"]),
    ("Australia/Perth", &["AWST", "W. Australia Standard Time", "Australian Western Standard Time"]),
    ("Australia/Adelaide", &["ACST", "ACDT", "Cen. Australia Standard Time"]),
    ("Australia/Brisbane", &["E. Australia Standard Time"]),
    (
        "Australia/Sydney",
        &[
            "AEST",
            "AEDT",
            "AUS Eastern Standard Time",
            "AUS Eastern Daylight Time",
            "Australian Eastern Standard Time",
            "Australian Eastern Daylight Time",
        ],
    ),
    ("Pacific/Auckland", &["NZST", "NZDT", "New Zealand Standard Time", "New Zealand Daylight Time"]),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_alias_names_one_zone_that_there_is() {
        let mut seen = HashSet::new();
        for (iana, names) in ALIASES {
            assert!(TimeZone::get(iana).is_ok(), "{iana}");
            for name in *names {
                assert!(seen.insert(name.to_lowercase()), "{name} is there twice");
                assert_eq!(by_name(name), TimeZone::get(iana).ok(), "{name}");
            }
        }
    }

    #[test]
    fn a_letter_that_got_lost_may_be_any_but_not_all_of_them() {
        let zone = |name| by_name(name).and_then(|zone| zone.iana_name().map(str::to_owned));
        assert_eq!(zone("Mitteleurop\u{fffd}ische Zeit").as_deref(), Some("Europe/Berlin"));
        assert_eq!(
            (zone("\u{fffd}\u{fffd}\u{fffd}"), zone("\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}")),
            (None, None)
        );
    }

    #[test]
    fn offsets_are_zones() {
        for (name, hours) in [("+02:00", 2), ("GMT+2", 2), ("UTC-05:00", -5), ("+0200", 2)] {
            assert_eq!(by_name(name), Some(TimeZone::fixed(jiff::tz::offset(hours))), "{name}");
        }
        for name in ["", "+", "GMT", "+25:00", "+2:99", "Nowhere"] {
            assert!(
                by_name(name).is_none_or(|zone| name == "GMT" && zone.iana_name() == Some("GMT")),
                "{name}"
            );
        }
    }
}

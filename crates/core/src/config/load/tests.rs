use std::fs;
use std::time::Duration;

use super::*;
use crate::ConnectionMode;

fn config_error(loader: Loader) -> String {
    let error = loader.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    format!("{} | {}", error.message(), error.advice().unwrap_or_default())
}

fn toml(text: &str) -> (tempfile::TempDir, Loader) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE), text).unwrap();
    let loader = Loader::new().directory(directory.path());
    (directory, loader)
}

#[test]
fn without_sources_the_defaults_hold() {
    assert_eq!(Loader::new().load().unwrap(), Config::default());
}

#[test]
fn every_documented_default_is_the_real_one() {
    for key in KEYS.iter().filter(|key| !key.optional) {
        let mut config = Config::default();
        (key.read)(&mut config, key.default).unwrap();
        assert_eq!(config, Config::default(), "{}", key.variable);
    }
}

#[test]
fn later_sources_win() {
    let (directory, loader) = toml("port = 4001\nhost = \"toml\"\nclient_id = 1\ntimeout = 2.5");
    fs::write(directory.path().join(DOTENV), "IBKR_HOST=dotenv\nIBKR_CLIENT_ID=2\n").unwrap();
    let config = loader
        .variables([
            ("IBKR_CLIENT_ID".to_owned(), "3".to_owned()),
            ("IBKR_PORT".to_owned(), "7497".to_owned()),
        ])
        .flag("port", "7496")
        .load()
        .unwrap();
    assert_eq!((config.port, config.host.as_str(), config.client_id), (7496, "dotenv", Some(3)));
    assert_eq!(config.timeout, Duration::from_millis(2_500));
}

#[test]
fn every_value_says_where_it_comes_from() {
    let (directory, loader) = toml("port = 4001\nhost = \"toml\"");
    fs::write(directory.path().join(DOTENV), "IBKR_HOST=dotenv\n").unwrap();
    let (config, settings) = loader
        .variables([("IBKR_CLIENT_ID".to_owned(), "3".to_owned()), ("IBKR_REGION".to_owned(), String::new())])
        .flag("timeout", "2.5")
        .load_with_settings()
        .unwrap();
    assert!(settings.iter().map(|setting| setting.key.name).eq(KEYS.iter().map(|key| key.name)));
    let of = |name: &str| {
        let setting = settings.iter().find(|setting| setting.key.name == name).unwrap();
        (setting.value.clone(), setting.source.as_str(), setting.source.place(setting.key))
    };
    let file = directory.path().join(FILE);
    for (name, value, source, place) in [
        ("port", "4001", "file", format!("port in {}", file.display()).as_str()),
        ("host", "dotenv", "dotenv", "IBKR_HOST in .env"),
        ("client_id", "3", "environment", "IBKR_CLIENT_ID in the environment"),
        ("timeout", "2.5", "flag", "--timeout on the command line"),
        ("region", "unset", "default", "region by default"),
        ("state_dir", config.state_dir.to_str().unwrap(), "default", "state_dir by default"),
    ] {
        assert_eq!(of(name), (value.to_owned(), source, place.to_owned()), "{name}");
    }
}

#[test]
fn a_bad_value_names_its_source_and_what_is_valid() {
    for (variable, value, expected) in [
        ("IBKR_CONNECTION_MODE", "threads", "expected one of: subprocess, direct"),
        ("IBKR_PORT", "0", "expected a port number"),
        ("IBKR_PORT", "abc", "expected a port number"),
        ("IBKR_HOST", "", "it is empty"),
        ("IBKR_TIMEOUT", "-5", "expected a positive number of seconds"),
        ("IBKR_ZOMBIE_CLEANUP", "kill", "expected one of: report, clean, off"),
        ("IBKR_CLIENT_ID", "-1", "expected a client id"),
        ("IBKR_PACING", "on", "expected one of: queue, off, unlimited"),
        ("IBKR_REGION", "us", "expected one of: americas, europe, asia, none"),
        ("IBKR_GATEWAY_RESTART", "ibc:localhost", "expected ibc:HOST:PORT"),
        ("IBKR_GATEWAY_RESTART", "sh -c 'x", "expected a command line"),
        ("IBKR_STATE_DIR", "state", "expected an absolute path"),
    ] {
        let message = config_error(Loader::new().variables([(variable.to_owned(), value.to_owned())]));
        assert!(
            message.starts_with(&format!("{variable} in the environment is {value:?}: {expected}")),
            "{message}"
        );
    }
    let (_directory, loader) = toml("port = \"abc\"");
    assert!(config_error(loader).contains("ibkr.toml is \"abc\""));
    let message = config_error(Loader::new().flag("client_id", "x"));
    assert!(message.starts_with("--client-id on the command line is \"x\""), "{message}");
}

#[test]
fn a_near_miss_is_an_error_and_a_stranger_is_left_alone() {
    for wrong in [
        "IBKR_PROT",
        "IBKR_CONECTION_MODE",
        "IBKR_TIMOUT",
        "ibkr_port",
        "IBKR_READ_ONLY",
        "IBKR_MODE",
        "IBKR_FALLBACK",
    ] {
        let message = config_error(Loader::new().variables([(wrong.to_owned(), "1".to_owned())]));
        assert!(message.contains(wrong) && message.contains("did you mean IBKR_"), "{message}");
    }
    for stranger in ["IBKR_USERNAME", "IBKR_PASSWORD", "IBKR_ACCOUNT", "IBKR_API_KEY", "IBKR_TOKEN", "PORT"] {
        let variables = [(stranger.to_owned(), "x".to_owned())];
        assert!(Loader::new().variables(variables).load().is_ok(), "{stranger}");
    }
}

#[test]
fn in_the_file_any_unknown_key_is_an_error() {
    let (_directory, loader) = toml("prot = 4002");
    let message = config_error(loader);
    assert!(message.contains("unknown key \"prot\"") && message.contains("did you mean port?"), "{message}");
    let (_directory, loader) = toml("port = ");
    assert!(config_error(loader).contains("is not valid TOML"));
}

#[test]
fn a_named_file_must_exist() {
    assert!(
        config_error(Loader::new().file("does-not-exist.toml")).contains("can't read does-not-exist.toml")
    );
}

#[test]
fn only_our_lines_of_a_dotenv_file_must_be_readable() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(DOTENV), "WHAT EVER=a b\nIBKR_PORT=4001\n").unwrap();
    assert_eq!(Loader::new().directory(directory.path()).load().unwrap().port, 4001);
    fs::write(directory.path().join(DOTENV), "IBKR_PORT 4001\n").unwrap();
    assert!(
        config_error(Loader::new().directory(directory.path()))
            .contains(".env, line 1: can't read IBKR_PORT")
    );
}

#[test]
fn an_empty_optional_variable_is_unset() {
    let config = Config::from_vars([("IBKR_CLIENT_ID", ""), ("IBKR_CONNECTION_MODE", "direct")]).unwrap();
    assert_eq!((config.client_id, config.mode), (None, ConnectionMode::Direct));
}

/// A loader with a working directory and a home of the user's own.
fn at_home(own: &str) -> (tempfile::TempDir, Loader) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("config/ibkr-connect")).unwrap();
    fs::create_dir(home.path().join("work")).unwrap();
    fs::write(home.path().join("config/ibkr-connect").join(FILE), own).unwrap();
    let config_home = Some(home.path().join("config"));
    let loader = Loader { config_home, ..Loader::new().directory(home.path().join("work")) };
    (home, loader)
}

#[test]
fn what_only_the_user_may_say_is_refused_in_the_working_directory_and_nowhere_else() {
    for (key, value) in [
        ("worker_path", "/tmp/x"),
        ("gateway_restart", "touch /tmp/x"),
        ("lock_file_path", "/etc/passwd"),
        ("state_dir", "/tmp/x"),
    ] {
        let line = format!("{key} = {value:?}\n");
        let variable = format!("IBKR_{}", key.to_uppercase());
        let (_directory, loader) = toml(&line);
        let message = config_error(loader);
        assert!(message.starts_with(&format!("{key} in ")) && message.contains("is not obeyed"), "{message}");
        assert!(message.contains(&format!("set {variable} in the environment")), "{message}");

        let (directory, loader) = toml("");
        fs::write(directory.path().join(DOTENV), format!("{variable}={value:?}\n")).unwrap();
        let message = config_error(loader);
        assert!(
            message.starts_with(&format!("{variable} in ")) && message.contains("is not obeyed"),
            "{message}"
        );

        let (_home, own) = at_home(&line);
        let (named, _) = toml(&line);
        let by_variable = Loader::new().variables([(variable, value.to_owned())]).load().unwrap();
        assert_ne!(by_variable, Config::default(), "{key}");
        for loader in [own, Loader::new().file(named.path().join(FILE)), Loader::new().flag(key, value)] {
            assert_eq!(loader.load().unwrap(), by_variable, "{key}");
        }
    }
}

#[test]
fn the_users_own_file_is_below_the_working_directory_and_beside_a_named_one() {
    let (home, loader) = at_home("host = \"own\"\nport = 1\nstate_dir = \"/own\"");
    fs::write(home.path().join("work").join(FILE), "port = 2").unwrap();
    let config = loader.load().unwrap();
    assert_eq!((config.host.as_str(), config.port, config.state_dir.to_str()), ("own", 2, Some("/own")));

    let (home, loader) = at_home("host = \"own\"\nport = 1");
    fs::write(home.path().join("named"), "port = 3").unwrap();
    let config = loader.file(home.path().join("named")).load().unwrap();
    assert_eq!((config.host.as_str(), config.port), ("own", 3));
}

#[test]
fn the_users_own_file_is_that_also_where_it_lies_in_the_working_directory() {
    let (home, loader) = at_home("state_dir = \"/own\"");
    let config = loader.directory(home.path().join("config/ibkr-connect")).load().unwrap();
    assert_eq!(config.state_dir.to_str(), Some("/own"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let (directory, loader) = toml("\u{feff}port = 4001\r\nclient_id = 7\r\n");
    fs::write(directory.path().join(DOTENV), "\u{feff}IBKR_HOST=gateway\r\nIBKR_TIMEOUT=3\r\n").unwrap();
    let config = loader.load().unwrap();
    assert_eq!((config.port, config.client_id, config.host.as_str()), (4001, Some(7), "gateway"));
    assert_eq!(config.timeout, Duration::from_secs(3));
}

#[test]
fn a_directory_called_dotenv_is_somebody_elses() {
    let (directory, loader) = toml("port = 4001");
    fs::create_dir(directory.path().join(DOTENV)).unwrap();
    assert_eq!(loader.load().unwrap().port, 4001);
}
